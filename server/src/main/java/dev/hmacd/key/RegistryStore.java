package dev.hmacd.key;

import dev.hmacd.key.RegistryException.Kind;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// The registry's file, and the one thread that reads and writes it. Thread-safe once it is open.
///
/// Work runs one after another, with a bounded queue: a change is on the disk first, then in
/// memory, then answered. Futures complete on the store's thread and fail with a
/// [RegistryException].
public final class RegistryStore implements AutoCloseable {
  private static final int MAX_WAITING = 256;
  private static final long CLOSE_SECONDS = 10;
  private static final Logger log = LoggerFactory.getLogger(RegistryStore.class);

  private final Path file;
  private final ArnScope scope;
  private final List<Memory> memories = new ArrayList<>();
  private final ThreadPoolExecutor executor =
      new ThreadPoolExecutor(
          1,
          1,
          0,
          TimeUnit.SECONDS,
          new ArrayBlockingQueue<>(MAX_WAITING),
          Thread.ofPlatform().name("hmacd-registry").factory());
  private @Nullable FileChannel lock;

  /// Used by the store's thread alone, and by [#open] before there is one.
  private @Nullable Database database;

  /// Of the file that is open. As the next, used where `database` is.
  private @Nullable Object identity;

  /// Of the last change that memory has. A file that has fewer is not the one that it came from.
  private long revision;

  /// Set once by [#open], before there is a thread.
  private boolean opened;

  /// The file is opened by [#open].
  public RegistryStore(Path file, ArnScope scope) {
    this.file = file;
    this.scope = scope;
  }

  public ArnScope scope() {
    return scope;
  }

  /// Holds in memory a part of what the file holds.
  interface Memory {
    /// Reads its part whole, in place of what it held.
    void load(Database db) throws SQLException;
  }

  /// Has a part loaded when the file is opened, and whenever it had to be opened anew; to be called
  /// before [#open].
  void remember(Memory memory) {
    memories.add(memory);
  }

  /// Opens or creates the database and reads it whole.
  ///
  /// @throws RegistryException `UNAVAILABLE` when it is in use by another daemon or cannot be read,
  ///   `FOREIGN` when it is not this daemon's
  public void open() {
    try {
      lock =
          FileChannel.open(
              file.resolveSibling(file.getFileName() + ".lock"),
              Set.of(StandardOpenOption.CREATE, StandardOpenOption.WRITE),
              Database.OWNER_ONLY);
      if (lock.tryLock() == null) {
        throw new RegistryException(Kind.UNAVAILABLE, "another daemon uses the registry " + file);
      }
      Database fresh = Database.open(file);
      database = fresh;
      identity = identity();
      adoptScope(fresh);
      load(fresh);
      opened = true;
    } catch (OverlappingFileLockException e) {
      throw new RegistryException(Kind.UNAVAILABLE, "this process uses the registry already", e);
    } catch (IOException | SQLException e) {
      throw new RegistryException(
          Kind.UNAVAILABLE, "cannot open the registry " + file + ": " + e, e);
    }
  }

  private void adoptScope(Database db) throws SQLException {
    db.update(
        "INSERT INTO registry (singleton, revision, arn_prefix) VALUES (1, 0, ?)"
            + " ON CONFLICT (singleton) DO NOTHING",
        scope.prefix());
    // ARNs are in callers' hands as soon as there are keys; until then they may be configured anew.
    db.update(
        "UPDATE registry SET arn_prefix = ? WHERE NOT EXISTS (SELECT 1 FROM keys)", scope.prefix());
    db.commit();
    requireScope(db);
  }

  private void requireScope(Database db) throws SQLException {
    String fixed = db.query("SELECT arn_prefix FROM registry", row -> row.getString(1)).getFirst();
    if (!fixed.equals(scope.prefix())) {
      throw new RegistryException(
          Kind.FOREIGN, "the registry's keys have ARNs that start with " + fixed);
    }
  }

  /// What tells this file from another that takes its place.
  private @Nullable Object identity() throws IOException {
    return Files.readAttributes(file, BasicFileAttributes.class).fileKey();
  }

  private static long revision(Database db) throws SQLException {
    return db.query("SELECT revision FROM registry", row -> row.getLong(1)).getFirst();
  }

  private void load(Database db) throws SQLException {
    revision = revision(db);
    for (Memory memory : memories) {
      memory.load(db);
    }
    // Else the next change would be made to what was read here, not to what is there by then.
    db.rollback();
  }

  interface Read<T> {
    T in(Database db) throws SQLException;
  }

  /// What memory has to learn once the change is on the disk.
  interface Committed<T> {
    T apply();
  }

  <T> CompletableFuture<T> change(Read<Committed<T>> work) {
    return read(
        db -> {
          // First of all, since SQLite waits for another's lock only before a transaction has read.
          db.update("UPDATE registry SET revision = revision + 1");
          Committed<T> committed = work.in(db);
          long changed = revision(db);
          db.commit();
          revision = changed;
          return committed.apply();
        });
  }

  <T> CompletableFuture<T> read(Read<T> work) {
    CompletableFuture<T> result = new CompletableFuture<>();
    try {
      executor.execute(() -> run(work, result));
    } catch (RejectedExecutionException e) {
      Kind kind = executor.isShutdown() ? Kind.UNAVAILABLE : Kind.BUSY;
      result.completeExceptionally(new RegistryException(kind, "the registry takes no more", e));
    }
    return result;
  }

  private <T> void run(Read<T> work, CompletableFuture<T> result) {
    T value;
    try {
      Database db = database();
      value = inTransaction(db, work);
    } catch (RegistryException e) {
      result.completeExceptionally(e);
      return;
    } catch (SQLException | IOException | RuntimeException | Error e) {
      log.atError().setCause(e).log("The registry cannot be read or written");
      RegistryException failure = new RegistryException(Kind.UNAVAILABLE, "database failure", e);
      reopen(failure);
      result.completeExceptionally(failure);
      return;
    }
    result.complete(value);
  }

  /// Leaves no transaction open: what a read began is ended, and what was refused is undone. After
  /// a commit there is none.
  private static <T> T inTransaction(Database db, Read<T> work) throws SQLException {
    T value;
    try {
      value = work.in(db);
    } catch (RegistryException e) {
      db.rollback();
      throw e;
    }
    db.rollback();
    return value;
  }

  /// The connection; where a failure has closed the one before, a new one, from which memory has
  /// been read anew.
  private Database database() throws SQLException, IOException {
    Database open = database;
    if (open != null) {
      if (!Objects.equals(identity(), identity)) {
        throw new IOException("another file is in the place of the registry " + file);
      }
      return open;
    }
    if (!opened) {
      throw new RegistryException(Kind.UNAVAILABLE, "not open");
    }
    Database fresh = Database.reopen(file);
    try {
      requireScope(fresh);
      if (revision(fresh) < revision) {
        throw new RegistryException(
            Kind.FOREIGN, "the registry " + file + " is older than what was answered from it");
      }
      identity = identity();
      load(fresh);
    } catch (SQLException | RuntimeException e) {
      fresh.close();
      throw e;
    }
    database = fresh;
    return fresh;
  }

  /// After a failure nobody knows what the connection still does: SQLite may have ended the
  /// transaction by itself, and then each statement would be committed alone. Only the disk knows
  /// what holds.
  private void reopen(RegistryException failure) {
    try {
      Database failed = database;
      database = null;
      if (failed != null) {
        failed.close();
      }
      var _ = database();
    } catch (SQLException | IOException | RegistryException e) {
      // What memory has stays, and the next call tries again.
      failure.addSuppressed(e);
    }
  }

  /// Ends what is under way, within a limit, and closes the file.
  @Override
  public void close() {
    executor.shutdown();
    try {
      if (!executor.awaitTermination(CLOSE_SECONDS, TimeUnit.SECONDS)) {
        log.atWarn().log("The registry did not end its work in time");
        return;
      }
      if (database != null) {
        database.close();
      }
      if (lock != null) {
        lock.close();
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } catch (SQLException | IOException e) {
      log.atWarn().setCause(e).log("The registry was not closed cleanly");
    }
  }
}

package dev.hmacd.registry;

import dev.hmacd.key.ArnScope;
import dev.hmacd.registry.RegistryException.Kind;
import dev.hmacd.registry.cache.EntryCache;
import dev.hmacd.registry.cache.EntryName;
import dev.hmacd.registry.cache.Position;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.sql.SQLException;
import java.time.Clock;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// The registry's database file, with its lock and its connection.
///
/// Keeps the cut of an [EntryCache] equal to the newest change of the file. After a failure,
/// refuses a file that does not have the position of the cut. Not thread-safe: [#open] runs before
/// the start of [RegistryStore]'s thread, [#close] after its end, and all other methods on that
/// thread.
final class RegistryFile implements AutoCloseable {
  /// Start of all error texts about the file: its configuration key.
  static final String PREFIX = "registry.path: ";

  private static final String UID = "unix:uid";
  private static final String GID = "unix:gid";
  private static final Integer ROOT = 0;
  private static final Logger log = LoggerFactory.getLogger(RegistryFile.class);

  private final Path file;
  private final ArnScope scope;
  private final ChangeLog changes;
  private final EntryCache cache;
  private @Nullable FileChannel lock;
  private @Nullable Database database;

  /// File key (device and inode) of the open file.
  private @Nullable Object identity;

  private boolean opened;

  /// Whether the file was missing at [#openExisting].
  private boolean inMemory;

  /// Stores the settings. Only [#open] opens the file.
  ///
  /// @param cache the cache whose cut follows the changes of the file
  RegistryFile(Path file, ArnScope scope, Clock clock, EntryCache cache) {
    this.file = file;
    this.scope = scope;
    this.changes = new ChangeLog(clock);
    this.cache = cache;
  }

  /// Opens or creates the database.
  ///
  /// @throws RegistryException `UNAVAILABLE` if another daemon uses the file or the file cannot be
  ///   read, `FOREIGN` if the file is not this daemon's registry, `UNUSABLE` if the file or its
  ///   folder cannot be used
  void open() {
    open(false);
  }

  /// As [#open], but creates no registry. If the file is missing, the registry is empty and in
  /// memory alone. An existing file gets its lock file and the missing migrations.
  ///
  /// @throws RegistryException as [#open], also if the file is missing and cannot be created
  void openExisting() {
    open(Files.notExists(file));
  }

  private void open(boolean withoutFile) {
    try {
      requireRegularFile(file);
      requireRegularFile(lockFile());
      inMemory = withoutFile;
      if (withoutFile && Files.notExists(lockFile())) {
        requireWritableFolder();
      } else {
        lock();
      }
      Database fresh = withoutFile ? Database.inMemory() : Database.open(file);
      database = fresh;
      if (!withoutFile) {
        identity = identity();
      }
      adoptScope(fresh);
      cache.reset(ChangeLog.newest(fresh));
      fresh.rollback(); // Otherwise the next change would start from an old snapshot.
      opened = true;
    } catch (IOException | SQLException e) {
      throw new RegistryException(
          PermanentFailure.is(e) ? Kind.UNUSABLE : Kind.UNAVAILABLE,
          PREFIX
              + "cannot open the registry "
              + file
              + ": "
              + PermanentFailure.reason(e)
              + "; "
              + PermanentFailure.remedy(e),
          e);
    }
  }

  private void lock() throws IOException {
    boolean isNew = Files.notExists(lockFile());
    FileChannel channel =
        FileChannel.open(
            lockFile(),
            Set.of(StandardOpenOption.CREATE, StandardOpenOption.WRITE),
            Database.OWNER_ONLY);
    lock = channel;
    if (isNew && Files.exists(file)) {
      giveToOwnerOfRegistry(lockFile());
    }
    boolean isLocked;
    try {
      isLocked = channel.tryLock() != null;
    } catch (OverlappingFileLockException e) {
      isLocked = false; // Another registry of this process has the lock.
    }
    if (!isLocked) {
      throw new RegistryException(
          Kind.UNAVAILABLE,
          PREFIX
              + "another daemon uses the registry "
              + file
              + ": stop it, or change registry.path");
    }
  }

  /// Gives a file that root has created to the owner of the registry. Otherwise, `hmacd check` as
  /// root would leave a lock file that the daemon's user cannot open.
  private void giveToOwnerOfRegistry(Path created) throws IOException {
    Object owner = Files.getAttribute(file, UID);
    if (owner.equals(ROOT)
        || !Files.getAttribute(created, UID, LinkOption.NOFOLLOW_LINKS).equals(ROOT)) {
      return;
    }
    try {
      // Follows no symbolic link: the owner of the folder could have replaced the file.
      Files.setAttribute(created, UID, owner, LinkOption.NOFOLLOW_LINKS);
      Files.setAttribute(created, GID, Files.getAttribute(file, GID), LinkOption.NOFOLLOW_LINKS);
    } catch (FileSystemException e) { // For example, in a container without CAP_CHOWN.
      log.atWarn()
          .addKeyValue("file", created)
          .addKeyValue("uid", owner)
          .setCause(e)
          .log("Lock file of the registry not given to the owner of the registry");
    }
  }

  /// Creates a file beside the registry, and removes it.
  private void requireWritableFolder() throws IOException {
    Path trial = file.resolveSibling(file.getFileName() + ".trial");
    Files.deleteIfExists(trial);
    Files.createFile(trial, Database.OWNER_ONLY);
    Files.delete(trial);
  }

  Path path() {
    return file;
  }

  private Path lockFile() {
    return file.resolveSibling(file.getFileName() + ".lock");
  }

  /// Refuses a file that is not a regular file: opening a FIFO would wait for another process.
  private static void requireRegularFile(Path file) {
    if (Files.exists(file) && !Files.isRegularFile(file)) {
      throw new RegistryException(
          Kind.UNUSABLE, PREFIX + file + " is not a regular file; change registry.path");
    }
  }

  private void adoptScope(Database db) throws SQLException {
    db.update(
        "INSERT INTO registry (singleton, revision, arn_prefix) VALUES (1, 0, ?)"
            + " ON CONFLICT (singleton) DO NOTHING",
        scope.prefix());
    // The configured scope may change only before the first key: afterwards, callers have ARNs.
    db.update(
        "UPDATE registry SET arn_prefix = ? WHERE NOT EXISTS (SELECT 1 FROM keys)", scope.prefix());
    db.commit();
    requireScope(db);
  }

  private void requireScope(Database db) throws SQLException {
    String fixed =
        db.query("SELECT arn_prefix FROM registry", row -> row.getString("arn_prefix")).getFirst();
    if (!fixed.equals(scope.prefix())) {
      throw new RegistryException(
          Kind.FOREIGN,
          PREFIX
              + "the keys of the registry "
              + file
              + " have ARNs that start with "
              + fixed
              + ": correct the section arn of the configuration");
    }
  }

  /// File key of the file at the registry's path. Differs if another file has replaced the file.
  private @Nullable Object identity() throws IOException {
    return Files.readAttributes(file, BasicFileAttributes.class).fileKey();
  }

  /// Returns the open connection. After a failure, opens a new connection, and applies the changes
  /// that the cache has not seen: a change whose commit failed may be in the file.
  Database database() throws SQLException, IOException {
    Database open = database;
    if (open != null) {
      if (!inMemory && !Objects.equals(identity(), identity)) {
        throw new IOException("another file replaced the registry " + file);
      }
      return open;
    }
    if (!opened) {
      throw new RegistryException(Kind.UNAVAILABLE, "the registry " + file + " is not open");
    }
    Database fresh = Database.reopen(file);
    try {
      requireScope(fresh);
      identity = identity();
      catchUp(fresh);
      fresh.rollback();
    } catch (SQLException | IOException | RuntimeException e) {
      fresh.close();
      throw e;
    }
    database = fresh;
    return fresh;
  }

  /// Applies changes to the cache that this process has not made: a change whose commit failed, or
  /// that another program made.
  ///
  /// @throws RegistryException `FOREIGN` if the file does not have the position of the cut
  void catchUp(Queries db) throws SQLException {
    Position before = cache.cut().position();
    if (ChangeLog.newest(db).equals(before)) {
      return;
    }
    if (!ChangeLog.contains(db, before)) {
      throw new RegistryException(
          Kind.FOREIGN,
          PREFIX
              + "the registry "
              + file
              + " does not have the last change of the daemon: it is older, or another copy;"
              + " restore the newest copy of the file, or restart the daemon to accept this file");
    }
    Position newest = ChangeLog.newest(db);
    List<EntryName> changed = ChangeLog.changedSince(db, before);
    if (changed == null) {
      cache.reset(newest);
    } else {
      cache.apply(before, newest, changed);
    }
  }

  /// Begins a change, with the lock for writes.
  Change begin(Database db) throws SQLException {
    ChangeLog.lock(db);
    catchUp(db);
    return new Change(db, scope.account());
  }

  /// Commits a change, and applies it to the cache.
  ///
  /// A change that has touched no entry gets no revision. Its commit shows whether the file can be
  /// written.
  void commit(Database db, Change change) throws SQLException {
    if (change.entries().isEmpty()) {
      db.commit();
      return;
    }
    Position before = cache.cut().position();
    Position changed = changes.append(db, change);
    db.commit();
    cache.apply(before, changed, change.entries());
  }

  /// Replaces the connection after a failure, because the state of its transaction is unknown. If
  /// SQLite has ended the transaction by itself, the connection would commit each further statement
  /// alone.
  void reopen(RegistryException failure) {
    try {
      Database failed = database;
      database = null;
      if (failed != null) {
        failed.close();
      }
      var _ = database();
    } catch (SQLException | IOException | RuntimeException e) {
      // The next operation tries to open a connection again.
      failure.addSuppressed(e);
    }
  }

  @Override
  public void close() throws SQLException, IOException {
    if (database != null) {
      database.close();
    }
    if (lock != null) {
      lock.close();
    }
  }
}

package dev.hmacd.registry.cache;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.hmacd.registry.cache.EntrySource.Snapshot;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/// Loads missing entries into an [EntryCache]: each entry once for all its readers, and waiting
/// entries together. Thread-safe.
public final class EntryLoads {
  /// Maximum number of entries that one read of the database returns.
  public static final int BATCH = 100;

  /// Maximum number of entries that wait for a load: more than the calls that may wait.
  static final int MAX_WAITING = 4096;

  private final EntryCache cache;
  private final EntrySource source;
  private final int maxReads;
  private final Supplier<RuntimeException> busy;
  private final ReentrantLock lock = new ReentrantLock();

  /// The entries that wait for a load, or are being loaded.
  @GuardedBy("lock")
  private final Map<EntryName, CompletableFuture<@Nullable Void>> results = new HashMap<>();

  /// The entries that no running read has yet, in the order of their requests.
  @GuardedBy("lock")
  private final Deque<EntryName> waiting = new ArrayDeque<>();

  @GuardedBy("lock")
  private int running;

  @GuardedBy("lock")
  private long loaded;

  /// @param maxReads maximum number of concurrent reads of the source
  /// @param busy makes the exception of a load that is refused because too many entries wait
  public EntryLoads(
      EntryCache cache, EntrySource source, int maxReads, Supplier<RuntimeException> busy) {
    this.cache = cache;
    this.source = source;
    this.maxReads = maxReads;
    this.busy = busy;
  }

  /// Loads an entry, unless it is in memory. Afterwards, the reader must find the entry in the
  /// cache again: a change or an eviction may have removed it in the meantime.
  ///
  /// @return a future of the caller's own. Completes after the publication of the entry, on a
  ///   thread of the source, or at once; fails with the exception of the source
  public CompletableFuture<@Nullable Void> load(EntryName name) {
    CompletableFuture<@Nullable Void> result;
    Runnable read;
    lock.lock();
    try {
      CompletableFuture<@Nullable Void> known = results.get(name);
      if (known != null) {
        return known.copy();
      }
      if (cache.find(name) != null) { // Published after the caller's look-up.
        return CompletableFuture.completedFuture(null);
      }
      if (results.size() >= MAX_WAITING) {
        return CompletableFuture.failedFuture(busy.get());
      }
      result = new CompletableFuture<>();
      results.put(name, result);
      waiting.addLast(name);
      read = nextRead();
    } finally {
      lock.unlock();
    }
    read.run();
    return result.copy();
  }

  /// Takes waiting entries for the next read, if one may start.
  @GuardedBy("lock")
  private Runnable nextRead() {
    if (running >= maxReads || waiting.isEmpty()) {
      return () -> {};
    }
    List<EntryName> names = new ArrayList<>();
    while (names.size() < BATCH && !waiting.isEmpty()) {
      names.add(waiting.removeFirst());
    }
    running++;
    return () -> read(names);
  }

  private void read(List<EntryName> names) {
    EntryCache.Load load = cache.begin(names);
    CompletableFuture<Snapshot> snapshot;
    try {
      snapshot = source.read(names, load.since());
    } catch (RuntimeException | Error e) {
      snapshot = CompletableFuture.failedFuture(e);
    }
    var _ = snapshot.whenComplete((read, failure) -> ended(names, load, read, failure));
  }

  private void ended(
      List<EntryName> names,
      EntryCache.Load load,
      @Nullable Snapshot snapshot,
      @Nullable Throwable failure) {
    Map<EntryName, Entry> published = Map.of();
    Throwable cause = failure;
    if (snapshot == null) {
      cache.abandon(load);
    } else {
      try {
        published = cache.publish(load, snapshot);
      } catch (RuntimeException | Error e) {
        cause = e;
      }
    }
    List<Runnable> completions = new ArrayList<>();
    Runnable next;
    lock.lock();
    try {
      running--;
      for (EntryName name : names) {
        Entry entry = published.get(name);
        if (entry == null && cause == null) {
          waiting.addLast(name); // The entry has changed since the snapshot.
          continue;
        }
        CompletableFuture<@Nullable Void> result = results.remove(name);
        if (result == null) {
          continue;
        }
        if (entry != null) {
          loaded++;
          completions.add(() -> result.complete(null));
        } else {
          Throwable reason = unwrapped(cause);
          completions.add(() -> result.completeExceptionally(reason));
        }
      }
      next = nextRead();
    } finally {
      lock.unlock();
    }
    next.run();
    completions.forEach(Runnable::run);
  }

  private static Throwable unwrapped(@Nullable Throwable failure) {
    if (failure == null) {
      return new IllegalStateException("a load ended without a result");
    }
    Throwable cause = failure instanceof CompletionException ? failure.getCause() : null;
    return cause == null ? failure : cause;
  }

  /// Number of loaded entries since the start.
  public long loaded() {
    lock.lock();
    try {
      return loaded;
    } finally {
      lock.unlock();
    }
  }
}

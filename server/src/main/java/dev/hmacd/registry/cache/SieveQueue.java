package dev.hmacd.registry.cache;

import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/// The order of eviction of entries, with a bound in bytes: SIEVE (Zhang et al., NSDI 2024). Not
/// thread-safe.
///
/// Entries stand in the order of their insertion. A hand moves from the oldest entry to newer
/// entries. It clears the mark of an entry that was read since its last visit, and evicts an entry
/// without a mark. A read sets the mark and moves nothing, so it needs no lock. A scan of many
/// names that are read once does not evict the names that are read often.
final class SieveQueue {
  private final long maxBytes;
  private long bytes;
  private int size;
  private @Nullable Entry newest;
  private @Nullable Entry oldest;

  /// The next entry to examine; null for the oldest.
  private @Nullable Entry hand;

  SieveQueue(long maxBytes) {
    this.maxBytes = maxBytes;
  }

  long bytes() {
    return bytes;
  }

  int size() {
    return size;
  }

  /// Adds an entry, and removes others while the entries have too many bytes. A single entry stays,
  /// even if it is larger than the bound.
  ///
  /// @param evicted is called with each removed entry
  void add(Entry entry, Consumer<Entry> evicted) {
    while (size > 0 && bytes + entry.bytes() > maxBytes) {
      Entry victim = victim();
      remove(victim);
      evicted.accept(victim);
    }
    entry.older = newest;
    if (newest != null) {
      newest.newer = entry;
    }
    newest = entry;
    if (oldest == null) {
      oldest = entry;
    }
    bytes += entry.bytes();
    size++;
  }

  /// The entry to evict next. The queue must not be empty.
  private Entry victim() {
    Entry each = orOldest(hand);
    // Readers set marks concurrently, so the number of steps has a bound.
    for (int steps = 0; steps < size && each.takeVisit(); steps++) {
      each = orOldest(each.newer);
    }
    hand = each;
    return each;
  }

  private Entry orOldest(@Nullable Entry entry) {
    Entry next = entry == null ? oldest : entry;
    if (next == null) {
      throw new IllegalStateException("the queue is empty");
    }
    return next;
  }

  /// Removes an entry of the queue.
  void remove(Entry entry) {
    if (hand == entry) {
      hand = entry.newer;
    }
    if (entry.newer == null) {
      newest = entry.older;
    } else {
      entry.newer.older = entry.older;
    }
    if (entry.older == null) {
      oldest = entry.newer;
    } else {
      entry.older.newer = entry.newer;
    }
    entry.newer = null;
    entry.older = null;
    bytes -= entry.bytes();
    size--;
  }

  /// Removes all entries.
  ///
  /// @param removed is called with each entry
  void clear(Consumer<Entry> removed) {
    while (oldest != null) {
      Entry each = oldest;
      remove(each);
      removed.accept(each);
    }
  }
}

package dev.hmacd.registry.cache;

import org.jspecify.annotations.Nullable;

/// An entry of the cache: the content of an entry of the registry, or its absence. The name and the
/// value are immutable.
///
/// An entry is retired when a change drops it, or when the cache evicts it. A reader that keeps an
/// entry asks [EntryCache#isCurrent] whether it is still valid.
public final class Entry {
  private final EntryName name;
  private final @Nullable Object value;
  private final int bytes;
  private volatile boolean retired;

  /// Whether a reader has found the entry since the last visit of the [SieveQueue]. Not volatile: a
  /// lost write makes an eviction less exact, not wrong.
  private boolean visited;

  /// The neighbours in the [SieveQueue], which alone uses them.
  @Nullable Entry newer;

  @Nullable Entry older;

  Entry(EntryName name, @Nullable Object value, int bytes) {
    this.name = name;
    this.value = value;
    this.bytes = bytes;
  }

  public EntryName name() {
    return name;
  }

  /// Whether the registry has no entry with this name.
  public boolean isAbsent() {
    return value == null;
  }

  /// The content of the entry; null if the registry has no entry with this name.
  public <T> @Nullable T value(Class<T> type) {
    return type.cast(value);
  }

  /// Memory of the entry, in bytes.
  int bytes() {
    return bytes;
  }

  boolean isRetired() {
    return retired;
  }

  void retire() {
    retired = true;
  }

  void visit() {
    if (!visited) { // A read first: a write would invalidate the cache line of other readers.
      visited = true;
    }
  }

  /// Whether the entry was visited since the last call.
  boolean takeVisit() {
    boolean before = visited;
    visited = false;
    return before;
  }
}

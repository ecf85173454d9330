package dev.hmacd.registry.cache;

import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/// The cached entries of one kind and one account, by id. Reads are thread-safe and allocate
/// nothing. [EntryCache] writes under its lock.
public final class Partition {
  private final Map<String, Entry> entries = new ConcurrentHashMap<>();

  Partition() {}

  /// Finds an entry in memory.
  ///
  /// @return null if the entry is not in memory; an absent entry if the registry does not have it
  public @Nullable Entry find(String id) {
    Entry found = entries.get(id);
    if (found != null) {
      found.visit();
    }
    return found;
  }

  void put(Entry entry) {
    entries.put(entry.name().id(), entry);
  }

  @Nullable Entry remove(String id) {
    return entries.remove(id);
  }

  void remove(Entry entry) {
    entries.remove(entry.name().id(), entry);
  }
}

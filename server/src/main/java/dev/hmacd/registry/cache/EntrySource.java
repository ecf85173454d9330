package dev.hmacd.registry.cache;

import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/// Reads entries from the database of the registry. Thread-safe.
@FunctionalInterface
public interface EntrySource {
  /// Reads entries, and the changes since a position, in one snapshot of the database.
  ///
  /// @param names up to [EntryLoads#BATCH] names, of the kinds `KEY`, `ALIAS` and `ACCESS_KEY`
  /// @param since the cut of the cache at the start of the load
  CompletableFuture<Snapshot> read(List<EntryName> names, Position since);

  /// One snapshot of the database.
  ///
  /// @param position the newest change of the snapshot
  /// @param changed the entries of all changes after `since`, up to `position`; null if the
  ///   database does not know: `since` is not on its timeline, or too old
  /// @param values the present content of the requested entries, without the absent ones. May have
  ///   more entries that a reader of the requested ones needs next
  record Snapshot(
      Position position, @Nullable List<EntryName> changed, Map<EntryName, Value> values) {}

  /// The content of an entry.
  ///
  /// @param bytes its memory, in bytes
  record Value(Object content, int bytes) {}
}

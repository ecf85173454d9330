package dev.hmacd.registry.cache;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.hmacd.registry.cache.EntryName.Kind;
import dev.hmacd.registry.cache.EntrySource.Snapshot;
import dev.hmacd.registry.cache.EntrySource.Value;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/// Entries of the registry in memory, all at one [Cut]. Thread-safe.
///
/// At each moment, every cached entry equals the entry of the database at the position of the cut,
/// absent entries included. A change only drops entries: it first removes the entries that it
/// touched, and then advances the cut. New content comes only from a load. A load is published
/// under the same lock as changes: if its snapshot is newer than the cut, the changes in between
/// are applied first; if an entry has changed since the snapshot, it is not published.
///
/// So a reader that finds several entries, and sees the same cut before and after, has entries of
/// one state of the database.
///
/// Absent entries have a bound of their own. Requests for names that do not exist evict no keys.
public final class EntryCache {
  /// Memory of an entry without its value: the entry, its name, and its places in the maps.
  private static final int ENTRY_BYTES = 256;

  /// Part of the memory for absent entries: one in this number.
  private static final int ABSENT_SHARE = 16;

  private final ReentrantLock lock = new ReentrantLock();
  private final Map<Space, Partition> partitions = new ConcurrentHashMap<>();
  private volatile Cut cut = new Cut(Position.START, 0);

  @GuardedBy("lock")
  private final SieveQueue present;

  @GuardedBy("lock")
  private final SieveQueue absent;

  /// The loads in flight.
  @GuardedBy("lock")
  private final Set<Load> loads = new HashSet<>();

  @GuardedBy("lock")
  private long evictions;

  /// @param maxBytes maximum memory of all entries, in bytes
  public EntryCache(long maxBytes) {
    present = new SieveQueue(maxBytes - maxBytes / ABSENT_SHARE);
    absent = new SieveQueue(maxBytes / ABSENT_SHARE);
  }

  private record Space(Kind kind, String account) {}

  /// A load of some entries, from its start to its publication.
  static final class Load {
    private final Set<EntryName> names;
    private final Position since;

    /// The entries that have changed since the start of the load.
    private final Set<EntryName> changed = new HashSet<>();

    /// Whether everything was dropped since the start of the load. Its snapshot may be older, or of
    /// another database.
    private boolean isVoid;

    private Load(Collection<EntryName> names, Position since) {
      this.names = Set.copyOf(names);
      this.since = since;
    }

    /// The position of the cache at the start of the load.
    Position since() {
      return since;
    }
  }

  /// The entries of one kind and one account, for readers.
  public Partition partition(Kind kind, String account) {
    return partitions.computeIfAbsent(new Space(kind, account), _ -> new Partition());
  }

  private Partition partition(EntryName name) {
    return partition(name.kind(), name.account());
  }

  /// The present cut.
  public Cut cut() {
    return cut;
  }

  /// Whether an entry has the present content, as far as this cache knows. An evicted entry is
  /// current until the next change of any entry.
  ///
  /// @param found the cut at some moment before the reader found the entry
  @SuppressWarnings("ReferenceEquality") // Each advance makes a new cut.
  public boolean isCurrent(Entry entry, Cut found) {
    return cut == found || !entry.isRetired();
  }

  /// Applies changes that follow the cut: drops their entries, and advances the cut. If the changes
  /// do not follow the cut, the database is another one: drops everything.
  ///
  /// @param before the position before the first change
  /// @param to the position of the last change
  /// @param changed the entries of the changes
  public void apply(Position before, Position to, Collection<EntryName> changed) {
    lock.lock();
    try {
      Position known = cut.position();
      if (to.equals(known)) {
        return; // A load has seen the changes first.
      }
      if (known.equals(before)) {
        changed.forEach(this::drop);
      } else {
        dropAll();
      }
      cut = cut.advancedTo(to);
    } finally {
      lock.unlock();
    }
  }

  /// Drops all entries, and sets the position of the database. For a database that has been opened
  /// again.
  public void reset(Position position) {
    lock.lock();
    try {
      dropAll();
      cut = cut.advancedTo(position);
    } finally {
      lock.unlock();
    }
  }

  /// Starts a load.
  Load begin(Collection<EntryName> names) {
    lock.lock();
    try {
      var load = new Load(names, cut.position());
      loads.add(load);
      return load;
    } finally {
      lock.unlock();
    }
  }

  /// Ends a load without a result.
  void abandon(Load load) {
    lock.lock();
    try {
      loads.remove(load);
    } finally {
      lock.unlock();
    }
  }

  /// Ends a load, and publishes its entries at the present cut.
  ///
  /// @return the published entries by name. A missing entry must be loaded again: it may have
  ///   changed since the snapshot
  Map<EntryName, Entry> publish(Load load, Snapshot snapshot) {
    lock.lock();
    try {
      loads.remove(load);
      Map<EntryName, Entry> published = new HashMap<>();
      if (load.isVoid) {
        return published;
      }
      if (advance(load, snapshot)) {
        snapshot.values().forEach((name, value) -> published.put(name, put(name, value)));
        for (EntryName name : load.names) {
          published.computeIfAbsent(name, missing -> put(missing, null));
        }
      } else {
        for (EntryName name : load.names) {
          if (isUnchanged(load, snapshot, name)) {
            published.put(name, put(name, snapshot.values().get(name)));
          }
        }
      }
      return published;
    } finally {
      lock.unlock();
    }
  }

  /// Advances the cut to the position of a snapshot, if the snapshot is newer and follows the cut.
  /// The changes in between drop their entries here, and mark them in the other loads.
  ///
  /// A load may have begun before the cut advanced for another reason. Then its snapshot does not
  /// show whether the cut is on the timeline of the snapshot, so the cut stays.
  ///
  /// @return whether the snapshot has the position of the cut now
  @GuardedBy("lock")
  private boolean advance(Load load, Snapshot snapshot) {
    if (snapshot.position().equals(cut.position())) {
      return true;
    }
    List<EntryName> changed = snapshot.changed();
    if (!cut.position().equals(load.since)) {
      return false;
    }
    if (changed == null) {
      dropAll();
    } else {
      changed.forEach(this::drop);
    }
    cut = cut.advancedTo(snapshot.position());
    return true;
  }

  /// Whether an entry of a snapshot that is older than the cut has not changed since: no change
  /// after the start of its load has touched it.
  @GuardedBy("lock")
  private boolean isUnchanged(Load load, Snapshot snapshot, EntryName name) {
    return snapshot.changed() != null
        && snapshot.position().revision() < cut.position().revision()
        && !load.changed.contains(name);
  }

  /// Puts an entry, unless it is cached already: then the cached entry has the same content.
  @GuardedBy("lock")
  private Entry put(EntryName name, @Nullable Value value) {
    Partition partition = partition(name);
    Entry known = partition.find(name.id());
    if (known != null) {
      return known;
    }
    Entry entry =
        value == null
            ? new Entry(name, null, ENTRY_BYTES + 2 * name.id().length())
            : new Entry(name, value.content(), ENTRY_BYTES + value.bytes());
    queueOf(entry).add(entry, this::evict);
    partition.put(entry);
    return entry;
  }

  @GuardedBy("lock")
  private SieveQueue queueOf(Entry entry) {
    return entry.isAbsent() ? absent : present;
  }

  @SuppressWarnings("GuardedBy") // The queue calls this method under the lock.
  private void evict(Entry entry) {
    evictions++;
    entry.retire();
    partition(entry.name()).remove(entry);
  }

  /// Drops an entry, and marks it in all loads that may have read it before its change.
  @GuardedBy("lock")
  private void drop(EntryName name) {
    if (name.kind() == Kind.EVERYTHING) {
      dropAll();
      return;
    }
    Entry dropped = partition(name).remove(name.id());
    if (dropped != null) {
      dropped.retire();
      queueOf(dropped).remove(dropped);
    }
    for (Load load : loads) {
      if (load.names.contains(name)) {
        load.changed.add(name);
      }
    }
  }

  @GuardedBy("lock")
  private void dropAll() {
    present.clear(this::remove);
    absent.clear(this::remove);
    for (Load load : loads) {
      load.isVoid = true;
    }
  }

  private void remove(Entry entry) {
    entry.retire();
    partition(entry.name()).remove(entry);
  }

  /// The size of the cache.
  ///
  /// @param bytes memory of all entries, absent entries included
  /// @param evictions number of evicted entries since the start
  public record Size(long entries, long absentEntries, long bytes, long evictions) {}

  public Size size() {
    lock.lock();
    try {
      return new Size(present.size(), absent.size(), present.bytes() + absent.bytes(), evictions);
    } finally {
      lock.unlock();
    }
  }

  /// Finds an entry in memory, by its name.
  @Nullable Entry find(EntryName name) {
    return partition(name).find(name.id());
  }
}

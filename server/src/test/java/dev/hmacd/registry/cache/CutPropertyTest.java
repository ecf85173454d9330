package dev.hmacd.registry.cache;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;

import dev.hmacd.registry.cache.EntryName.Kind;
import dev.hmacd.registry.cache.EntrySource.Snapshot;
import dev.hmacd.registry.cache.EntrySource.Value;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// The invariants of the cut, over random interleavings of changes, loads, drops, evictions and
/// restored databases. A test decides each step: the start of a load, its snapshot of the database,
/// its publication, the commit of a change, and its application to the cache.
///
/// Each defect breaks one rule on purpose. The invariants must find it.
final class CutPropertyTest {
  private static final int RUNS = 400;
  private static final int STEPS = 200;
  private static final int NAMES = 6;
  private static final String ACCOUNT = "123456789012";

  /// A defect, and the invariant that must find it.
  enum Defect {
    /// I1: a change does not name the entries that it deletes.
    DELETION_NOT_NAMED,
    /// I1: changes that the cache has not seen are taken for seen.
    GAP_NOT_NOTICED,
    /// I1: a change advances the cut, but drops nothing.
    NOTHING_DROPPED,
    /// I2: a load reads its rows before its position.
    TWO_SNAPSHOTS,
    /// I2: a load is published although its entry has changed since its start.
    STALE_LOAD_PUBLISHED,
    /// I3: a reader does not compare the cut before and after.
    CUT_NOT_COMPARED,
    /// I4: a change is answered before it is applied to the cache.
    ANSWERED_EARLY,
    /// I7: a position that the database does not have is ignored.
    TIMELINE_IGNORED,
    /// A holder of an evicted entry takes it for current after a later change.
    EVICTION_KEEPS_ENTRY
  }

  /// A database with all its states, by the position that made them.
  private static final class Database {
    private final Random random;
    private final Map<Position, Map<EntryName, String>> states = new HashMap<>();

    /// The changes of the present timeline, oldest first.
    private final LinkedHashMap<Position, Set<EntryName>> changes = new LinkedHashMap<>();

    private Position newest = Position.START;
    private int nonces;

    Database(Random random) {
      this.random = random;
      states.put(newest, Map.of());
    }

    /// Commits a change of one to three entries.
    Set<EntryName> change() {
      Map<EntryName, String> state = new HashMap<>(states.get(newest));
      Set<EntryName> changed = new HashSet<>();
      newest = new Position(newest.revision() + 1, "nonce-" + nonces++);
      for (int i = random.nextInt(3); i >= 0; i--) {
        EntryName name = anyName(random);
        changed.add(name);
        if (random.nextInt(3) == 0) {
          state.remove(name);
        } else {
          state.put(name, "at " + newest.nonce());
        }
      }
      states.put(newest, state);
      changes.put(newest, changed);
      return changed;
    }

    /// Goes back to an earlier state, as a restore from a backup does.
    void restore() {
      List<Position> known = new ArrayList<>(changes.keySet());
      if (known.isEmpty()) {
        return;
      }
      int kept = random.nextInt(known.size());
      known.subList(kept, known.size()).forEach(changes::remove);
      newest = kept == 0 ? Position.START : known.get(kept - 1);
    }

    private boolean contains(Position position) {
      return position.equals(Position.START) || changes.containsKey(position);
    }

    private List<EntryName> changedSince(Position since) {
      List<EntryName> changed = new ArrayList<>();
      changes.forEach(
          (position, names) -> {
            if (position.revision() > since.revision()) {
              changed.addAll(names);
            }
          });
      return changed;
    }
  }

  private record Change(Position before, Position to, Set<EntryName> changed) {}

  private static final class RunningLoad {
    private final List<EntryName> names;
    private final EntryCache.Load load;
    private Map<EntryName, Value> rows = Map.of();
    private Snapshot snapshot = new Snapshot(Position.START, null, Map.of());
    private int step;

    RunningLoad(List<EntryName> names, EntryCache.Load load) {
      this.names = names;
      this.load = load;
    }
  }

  private record Held(Entry entry, Cut cut) {}

  private static EntryName anyName(Random random) {
    return new EntryName(Kind.KEY, ACCOUNT, "key-" + random.nextInt(NAMES));
  }

  private static final class Run {
    private final Random random;
    private final @Nullable Defect defect;
    private final Database database;
    private final EntryCache cache;
    private final Deque<Change> committed = new ArrayDeque<>();
    private final List<RunningLoad> loads = new ArrayList<>();
    private final List<Held> held = new ArrayList<>();

    /// The newest answered change.
    private Position answered = Position.START;

    Run(long seed, @Nullable Defect defect) {
      this.random = new Random(seed);
      this.defect = defect;
      this.database = new Database(random);
      // Room for all entries, or for about three.
      this.cache = new EntryCache(random.nextBoolean() ? 1 << 20 : 1000);
    }

    void steps() {
      for (int i = 0; i < STEPS; i++) {
        switch (random.nextInt(13)) {
          case 0, 1 -> commit();
          case 2, 3 -> apply();
          case 4, 5 -> begin();
          case 6, 7, 8 -> proceed();
          case 9, 10 -> read();
          case 11 -> {
            if (random.nextInt(10) == 0) {
              reopen();
            }
          }
          default -> {
            if (random.nextInt(10) == 0) {
              restore();
            }
          }
        }
        checkCachedEntries();
        checkHeldEntries();
      }
    }

    private void commit() {
      Position before = database.newest;
      Set<EntryName> changed = database.change();
      committed.add(new Change(before, database.newest, changed));
      if (defect == Defect.ANSWERED_EARLY) {
        answered = database.newest;
      }
    }

    /// Applies the oldest committed changes. Sometimes the daemon misses changes before them.
    private void apply() {
      if (committed.isEmpty()) {
        return;
      }
      if (random.nextInt(8) == 0 && committed.size() > 1) {
        committed.removeFirst(); // Made by another process.
      }
      Change first = committed.removeFirst();
      Collection<EntryName> changed = new HashSet<>(first.changed());
      if (random.nextInt(20) == 0) {
        changed = new HashSet<>(Set.of(new EntryName(Kind.EVERYTHING, ACCOUNT, "")));
      }
      if (defect == Defect.DELETION_NOT_NAMED) {
        changed.removeIf(name -> !state(first.to()).containsKey(name));
      } else if (defect == Defect.NOTHING_DROPPED) {
        changed.clear();
      }
      Position before = defect == Defect.GAP_NOT_NOTICED ? cache.cut().position() : first.before();
      cache.apply(before, first.to(), changed);
      answered = first.to();
    }

    private void begin() {
      if (loads.size() < 3) {
        Set<EntryName> names = new HashSet<>();
        for (int i = random.nextInt(3); i >= 0; i--) {
          names.add(anyName(random));
        }
        loads.add(new RunningLoad(List.copyOf(names), cache.begin(names)));
      }
    }

    /// The next step of a load: its rows, its position, its publication.
    private void proceed() {
      if (loads.isEmpty()) {
        return;
      }
      RunningLoad load = loads.get(random.nextInt(loads.size()));
      switch (load.step++) {
        case 0 -> {
          List<EntryName> names = new ArrayList<>(load.names);
          names.add(anyName(random)); // As the key of an alias, which is read with it.
          load.rows = rows(names);
          if (defect != Defect.TWO_SNAPSHOTS) {
            load.snapshot = snapshot(load);
          }
        }
        case 1 -> {
          if (defect == Defect.TWO_SNAPSHOTS) {
            load.snapshot = snapshot(load);
          }
        }
        default -> {
          loads.remove(load);
          publish(load);
        }
      }
    }

    private Map<EntryName, Value> rows(List<EntryName> names) {
      Map<EntryName, Value> rows = new HashMap<>();
      for (EntryName name : names) {
        String content = state(database.newest).get(name);
        if (content != null) {
          rows.put(name, new Value(content, 10));
        }
      }
      return rows;
    }

    private Snapshot snapshot(RunningLoad load) {
      Position since = load.load.since();
      return new Snapshot(
          database.newest,
          database.contains(since) || defect == Defect.TIMELINE_IGNORED
              ? database.changedSince(since)
              : null,
          load.rows);
    }

    private void publish(RunningLoad load) {
      if (defect == Defect.STALE_LOAD_PUBLISHED) {
        cache.abandon(load.load);
        cache.publish(cache.begin(load.names), load.snapshot);
      } else {
        cache.publish(load.load, load.snapshot);
      }
    }

    /// A restore ends the changes in flight: they are on the lost timeline.
    private void restore() {
      database.restore();
      committed.clear();
    }

    /// Opens the database again: the cache takes its position.
    private void reopen() {
      cache.reset(database.newest);
      committed.clear();
    }

    /// Reads two entries, with a change between the two at random.
    @SuppressWarnings("ReferenceEquality") // Each advance makes a new cut.
    private void read() {
      Cut before = cache.cut();
      Position answered = this.answered;
      Entry one = cache.find(anyName(random));
      if (random.nextInt(4) == 0) {
        apply();
        for (int i = 0; i < 3; i++) {
          proceed();
        }
      }
      Entry two = cache.find(anyName(random));
      if (cache.cut() != before && defect != Defect.CUT_NOT_COMPARED) {
        return;
      }
      Map<EntryName, String> state = state(before.position());
      for (Entry entry : new Entry[] {one, two}) {
        if (entry != null) {
          assertContent(entry, state, "I3, read at " + before);
          held.add(new Held(entry, before));
          // I4: all answered changes of the timeline are in the cut.
          if (database.contains(answered) && database.contains(before.position())) {
            assertThat(before.position().revision())
                .as("I4: cut of a reader after an answered change")
                .isGreaterThanOrEqualTo(answered.revision());
          }
        }
      }
    }

    private Map<EntryName, String> state(Position position) {
      return Objects.requireNonNull(database.states.get(position), "no state at " + position);
    }

    /// I1: all cached entries equal the database at the position of the cut.
    private void checkCachedEntries() {
      Map<EntryName, String> state = state(cache.cut().position());
      for (int i = 0; i < NAMES; i++) {
        Entry entry = cache.partition(Kind.KEY, ACCOUNT).find("key-" + i);
        if (entry != null) {
          assertContent(entry, state, "I1, cut " + cache.cut());
        }
      }
    }

    /// A held entry that counts as current equals the database at the position of the cut.
    private void checkHeldEntries() {
      Map<EntryName, String> state = state(cache.cut().position());
      held.removeIf(
          each -> {
            boolean isCurrent =
                defect == Defect.EVICTION_KEEPS_ENTRY
                    ? cache.find(each.entry().name()) == each.entry()
                        || cache.find(each.entry().name()) == null
                    : cache.isCurrent(each.entry(), each.cut());
            if (isCurrent) {
              assertContent(each.entry(), state, "current entry, cut " + cache.cut());
            }
            return !isCurrent;
          });
    }

    private static void assertContent(Entry entry, Map<EntryName, String> state, String what) {
      assertThat(entry.value(String.class))
          .as("%s: %s", what, entry.name())
          .isEqualTo(state.get(entry.name()));
    }
  }

  @Test
  void invariantsHoldInAllInterleavings() {
    for (long seed = 0; seed < RUNS; seed++) {
      long each = seed;
      assertThatCode(() -> new Run(each, null).steps())
          .as("seed %d", seed)
          .doesNotThrowAnyException();
    }
  }

  @ParameterizedTest
  @EnumSource(Defect.class)
  void eachDefectIsFound(Defect defect) {
    int found = 0;
    for (long seed = 0; seed < RUNS; seed++) {
      try {
        new Run(seed, defect).steps();
      } catch (AssertionError e) {
        found++;
      }
    }
    assertThat(found).as("runs in which an invariant found %s", defect).isPositive();
  }
}

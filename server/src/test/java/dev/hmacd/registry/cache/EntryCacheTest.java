package dev.hmacd.registry.cache;

import static org.assertj.core.api.Assertions.assertThat;

import dev.hmacd.registry.cache.EntryName.Kind;
import dev.hmacd.registry.cache.EntrySource.Snapshot;
import dev.hmacd.registry.cache.EntrySource.Value;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// The cache and its cut, one step at a time.
final class EntryCacheTest {
  private static final EntryName KEY = new EntryName(Kind.KEY, "123456789012", "a");
  private static final EntryName OTHER = new EntryName(Kind.KEY, "123456789012", "b");
  private static final Position FIRST = position(1);
  private static final Position SECOND = position(2);

  private final EntryCache cache = new EntryCache(1 << 20);

  private static Position position(long revision) {
    return new Position(revision, "nonce-" + revision);
  }

  private static Snapshot snapshot(
      Position position, @Nullable List<EntryName> changed, String... contents) {
    Map<EntryName, Value> values = new HashMap<>();
    for (int i = 0; i < contents.length; i += 2) {
      values.put(
          new EntryName(Kind.KEY, KEY.account(), contents[i]), new Value(contents[i + 1], 10));
    }
    return new Snapshot(position, changed, values);
  }

  private Entry load(EntryName name, Snapshot snapshot) {
    return Objects.requireNonNull(cache.publish(cache.begin(List.of(name)), snapshot).get(name));
  }

  private Entry cached(EntryName name) {
    return Objects.requireNonNull(cache.find(name));
  }

  @Test
  void publishedEntryIsFound() {
    cache.reset(FIRST);
    Entry published = load(KEY, snapshot(FIRST, List.of(), "a", "content"));
    assertThat(cached(KEY)).isSameAs(published);
    assertThat(published.value(String.class)).isEqualTo("content");
    assertThat(published.isAbsent()).isFalse();
    assertThat(cache.find(OTHER)).isNull();
  }

  @Test
  void nameThatTheDatabaseDoesNotHaveIsAnAbsentEntry() {
    cache.reset(FIRST);
    Entry absent = load(KEY, snapshot(FIRST, List.of()));
    assertThat(cached(KEY)).isSameAs(absent);
    assertThat(absent.isAbsent()).isTrue();
    assertThat(absent.value(String.class)).isNull();
    assertThat(cache.size().absentEntries()).isEqualTo(1);
    assertThat(cache.size().entries()).isZero();
  }

  @Test
  void changeDropsItsEntriesAndAdvancesTheCut() {
    cache.reset(FIRST);
    Cut before = cache.cut();
    Entry changed = load(KEY, snapshot(FIRST, List.of(), "a", "old"));
    Entry unchanged = load(OTHER, snapshot(FIRST, List.of(), "b", "same"));
    assertThat(cache.isCurrent(changed, before)).isTrue();
    cache.apply(FIRST, SECOND, List.of(KEY));
    assertThat(cache.find(KEY)).isNull();
    assertThat(cached(OTHER)).isSameAs(unchanged);
    assertThat(cache.cut().position()).isEqualTo(SECOND);
    assertThat(cache.isCurrent(changed, before)).isFalse();
    assertThat(cache.isCurrent(unchanged, before)).isTrue();
  }

  @Test
  void changeDropsTheAbsentEntryOfANewName() {
    cache.reset(FIRST);
    Entry absent = load(KEY, snapshot(FIRST, List.of()));
    cache.apply(FIRST, SECOND, List.of(KEY));
    assertThat(cache.find(KEY)).isNull();
    assertThat(absent.isRetired()).isTrue();
  }

  @Test
  void changesThatDoNotFollowTheCutDropEverything() {
    cache.reset(FIRST);
    load(OTHER, snapshot(FIRST, List.of(), "b", "content"));
    cache.apply(SECOND, position(3), List.of(KEY));
    assertThat(cache.find(OTHER)).isNull();
    assertThat(cache.cut().position()).isEqualTo(position(3));
  }

  @Test
  void changeOfAnUnknownKindDropsEverything() {
    cache.reset(FIRST);
    load(OTHER, snapshot(FIRST, List.of(), "b", "content"));
    cache.apply(FIRST, SECOND, List.of(new EntryName(Kind.EVERYTHING, KEY.account(), "")));
    assertThat(cache.find(OTHER)).isNull();
    assertThat(cache.size().bytes()).isZero();
  }

  @Test
  void newerSnapshotAppliesItsChangesFirst() {
    cache.reset(FIRST);
    load(OTHER, snapshot(FIRST, List.of(), "b", "old"));
    load(KEY, snapshot(SECOND, List.of(OTHER), "a", "content"));
    assertThat(cache.find(OTHER)).isNull();
    assertThat(cache.cut().position()).isEqualTo(SECOND);
    // The daemon's own change arrives late.
    Cut cut = cache.cut();
    cache.apply(FIRST, SECOND, List.of(OTHER));
    assertThat(cache.cut()).isSameAs(cut);
    assertThat(cached(KEY).value(String.class)).isEqualTo("content");
  }

  @Test
  void entryThatChangedSinceItsSnapshotIsNotPublished() {
    cache.reset(FIRST);
    EntryCache.Load load = cache.begin(List.of(KEY, OTHER));
    Snapshot old = snapshot(FIRST, List.of(), "a", "old", "b", "same");
    cache.apply(FIRST, SECOND, List.of(KEY));
    assertThat(cache.publish(load, old)).containsOnlyKeys(OTHER);
    assertThat(cache.find(KEY)).isNull();
    assertThat(cached(OTHER).value(String.class)).isEqualTo("same");
  }

  @Test
  void newerSnapshotOfALoadThatBeganBeforeTheCutIsNotPublished() {
    cache.reset(FIRST);
    EntryCache.Load load = cache.begin(List.of(KEY));
    cache.apply(FIRST, SECOND, List.of(OTHER));
    assertThat(cache.publish(load, snapshot(position(3), List.of(OTHER), "a", "content")))
        .isEmpty();
    assertThat(cache.cut().position()).isEqualTo(SECOND);
  }

  @Test
  void databaseOnAnotherTimelineDropsEverything() {
    cache.reset(SECOND);
    load(OTHER, snapshot(SECOND, List.of(), "b", "lost"));
    var other = new Position(1, "another timeline");
    load(KEY, snapshot(other, null, "a", "restored"));
    assertThat(cache.find(OTHER)).isNull();
    assertThat(cached(KEY).value(String.class)).isEqualTo("restored");
    assertThat(cache.cut().position()).isEqualTo(other);
  }

  @Test
  void sameRevisionOfAnotherTimelineIsNotPublished() {
    cache.reset(FIRST);
    EntryCache.Load load = cache.begin(List.of(KEY));
    cache.apply(FIRST, SECOND, List.of(OTHER));
    var other = new Position(2, "another timeline");
    assertThat(cache.publish(load, snapshot(other, List.of(OTHER), "a", "content"))).isEmpty();
  }

  @Test
  void evictedEntryIsCurrentUntilTheNextChange() {
    var small = new EntryCache(2000);
    small.reset(FIRST);
    Cut before = small.cut();
    Entry first =
        Objects.requireNonNull(
            small
                .publish(small.begin(List.of(KEY)), snapshot(FIRST, List.of(), "a", "content"))
                .get(KEY));
    for (int i = 0; !first.isRetired(); i++) {
      var name = new EntryName(Kind.KEY, KEY.account(), "more-" + i);
      small.publish(small.begin(List.of(name)), snapshot(FIRST, List.of(), name.id(), "more"));
    }
    assertThat(small.size().evictions()).isPositive();
    assertThat(small.isCurrent(first, before)).isTrue();
    small.apply(FIRST, SECOND, List.of(OTHER));
    assertThat(small.isCurrent(first, before)).isFalse();
  }

  @Test
  void absentNamesEvictNoKeys() {
    var small = new EntryCache(100_000);
    small.reset(FIRST);
    small.publish(small.begin(List.of(KEY)), snapshot(FIRST, List.of(), "a", "content"));
    for (int i = 0; i < 10_000; i++) {
      small.publish(
          small.begin(List.of(new EntryName(Kind.KEY, KEY.account(), "guess-" + i))),
          snapshot(FIRST, List.of()));
    }
    assertThat(small.find(KEY)).isNotNull();
    assertThat(small.size().bytes()).isLessThanOrEqualTo(100_000);
    assertThat(small.size().absentEntries()).isPositive();
  }

  @Test
  void keysThatAreReadOftenStayWhileOthersAreReadOnce() {
    var small = new EntryCache(100_000);
    small.reset(FIRST);
    small.publish(small.begin(List.of(KEY)), snapshot(FIRST, List.of(), "a", "content"));
    for (int i = 0; i < 10_000; i++) {
      assertThat(small.find(KEY)).as("after %d others", i).isNotNull();
      var name = new EntryName(Kind.KEY, KEY.account(), "once-" + i);
      small.publish(small.begin(List.of(name)), snapshot(FIRST, List.of(), name.id(), "once"));
    }
    assertThat(small.size().bytes()).isLessThanOrEqualTo(100_000);
  }

  @ParameterizedTest
  @EnumSource(
      value = Kind.class,
      names = {"KEY", "ALIAS", "ACCESS_KEY"})
  void entryBelongsToItsKindAndItsAccount(Kind kind) {
    cache.reset(FIRST);
    var name = new EntryName(kind, KEY.account(), "a");
    cache.publish(
        cache.begin(List.of(name)),
        new Snapshot(FIRST, List.of(), Map.of(name, new Value("content", 10))));
    for (Kind other : Kind.values()) {
      assertThat(cache.partition(other, KEY.account()).find("a") != null)
          .as(other.name())
          .isEqualTo(other == kind);
    }
    assertThat(cache.partition(kind, "210987654321").find("a")).isNull();
  }

  /// A change of two keys runs while another thread reads both: no read that sees one cut has one
  /// key from before the change and one from after it.
  @Test
  @SuppressWarnings("ReferenceEquality") // Each advance makes a new cut.
  void readerSeesEntriesOfOneCut() throws InterruptedException {
    cache.reset(position(0));
    var stop = new AtomicBoolean();
    Thread writer =
        Thread.ofPlatform()
            .start(
                () -> {
                  for (long i = 1; !stop.get(); i++) {
                    cache.apply(position(i - 1), position(i), List.of(KEY, OTHER));
                    cache.publish(
                        cache.begin(List.of(KEY, OTHER)),
                        snapshot(position(i), List.of(), "a", "at " + i, "b", "at " + i));
                  }
                });
    try {
      for (int both = 0; both < 100_000; ) {
        Cut before = cache.cut();
        Entry one = cache.find(KEY);
        Entry two = cache.find(OTHER);
        if (one != null && two != null && cache.cut() == before) {
          both++;
          assertThat(two.value(String.class)).isEqualTo(one.value(String.class));
        }
      }
    } finally {
      stop.set(true);
      writer.join();
    }
  }
}

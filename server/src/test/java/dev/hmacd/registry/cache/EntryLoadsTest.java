package dev.hmacd.registry.cache;

import static org.assertj.core.api.Assertions.assertThat;

import dev.hmacd.registry.cache.EntryName.Kind;
import dev.hmacd.registry.cache.EntrySource.Snapshot;
import dev.hmacd.registry.cache.EntrySource.Value;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;

/// Loads of missing entries, with a source whose reads the test completes.
final class EntryLoadsTest {
  private static final String ACCOUNT = "123456789012";
  private static final Position FIRST = new Position(1, "first");
  private static final Position SECOND = new Position(2, "second");

  private final EntryCache cache = new EntryCache(1 << 20);
  private final Deque<Read> reads = new ArrayDeque<>();
  private final EntryLoads loads =
      new EntryLoads(cache, this::read, 1, () -> new IllegalStateException("busy"));

  private record Read(
      List<EntryName> names, Position since, CompletableFuture<Snapshot> snapshot) {}

  EntryLoadsTest() {
    cache.reset(FIRST);
  }

  private CompletableFuture<Snapshot> read(List<EntryName> names, Position since) {
    var read = new Read(names, since, new CompletableFuture<>());
    reads.add(read);
    return read.snapshot();
  }

  private static EntryName name(String id) {
    return new EntryName(Kind.KEY, ACCOUNT, id);
  }

  /// Completes the oldest read, with a content for each name.
  private void complete(Position position, String content) {
    Read read = reads.removeFirst();
    Map<EntryName, Value> values = new HashMap<>();
    read.names().forEach(each -> values.put(each, new Value(content, 10)));
    read.snapshot().complete(new Snapshot(position, List.of(), values));
  }

  private String content(String id) {
    return Objects.requireNonNull(Objects.requireNonNull(cache.find(name(id))).value(String.class));
  }

  @Test
  void loadedEntryIsInMemory() {
    CompletableFuture<?> load = loads.load(name("a"));
    assertThat(load).isNotDone();
    complete(FIRST, "content");
    assertThat(load).isCompleted();
    assertThat(content("a")).isEqualTo("content");
    assertThat(loads.loaded()).isEqualTo(1);
    assertThat(loads.load(name("a"))).isCompleted();
    assertThat(reads).isEmpty();
  }

  @Test
  void concurrentReadersOfOneEntryShareALoad() {
    List<CompletableFuture<?>> readers = new ArrayList<>();
    for (int i = 0; i < 1000; i++) {
      readers.add(loads.load(name("a")));
    }
    assertThat(reads).hasSize(1);
    readers.getFirst().cancel(false); // A reader whose deadline has passed.
    complete(FIRST, "content");
    assertThat(readers.subList(1, readers.size())).allMatch(CompletableFuture::isDone);
    assertThat(reads).isEmpty();
  }

  @Test
  void entriesThatWaitAreReadTogether() {
    List<CompletableFuture<?>> others = new ArrayList<>(List.of(loads.load(name("first"))));
    for (int i = 0; i < EntryLoads.BATCH + 1; i++) {
      others.add(loads.load(name("other-" + i)));
    }
    assertThat(reads).hasSize(1);
    complete(FIRST, "content");
    assertThat(reads.getFirst().names()).hasSize(EntryLoads.BATCH);
    complete(FIRST, "content");
    assertThat(reads.getFirst().names()).containsExactly(name("other-" + EntryLoads.BATCH));
    complete(FIRST, "content");
    assertThat(others).allMatch(CompletableFuture::isDone);
  }

  @Test
  void entryThatChangedDuringItsLoadIsLoadedAgain() {
    CompletableFuture<?> before = loads.load(name("a"));
    cache.apply(FIRST, SECOND, List.of(name("a")));
    CompletableFuture<?> after = loads.load(name("a"));
    complete(FIRST, "old");
    assertThat(before).isNotDone();
    assertThat(after).isNotDone();
    assertThat(cache.find(name("a"))).isNull();
    assertThat(reads.getFirst().since()).isEqualTo(SECOND);
    complete(SECOND, "new");
    assertThat(after).isCompleted();
    assertThat(before).isCompleted();
    assertThat(content("a")).isEqualTo("new");
  }

  @Test
  void failureOfTheSourceFailsItsReadersAlone() {
    CompletableFuture<?> failed = loads.load(name("a"));
    CompletableFuture<?> next = loads.load(name("b"));
    var failure = new IllegalArgumentException("the database is away");
    reads.removeFirst().snapshot().completeExceptionally(failure);
    assertThat(failed).failsWithin(Duration.ZERO).withThrowableThat().withCause(failure);
    complete(FIRST, "content");
    assertThat(next).isCompleted();
    CompletableFuture<?> again = loads.load(name("a"));
    complete(FIRST, "content");
    assertThat(again).isCompleted();
  }

  @Test
  void tooManyWaitingEntriesAreRefused() {
    for (int i = 0; i < EntryLoads.MAX_WAITING; i++) {
      assertThat(loads.load(name("waiting-" + i))).isNotDone();
    }
    assertThat(loads.load(name("one more"))).isCompletedExceptionally();
    assertThat(loads.load(name("waiting-0"))).isNotDone();
    complete(FIRST, "content");
    assertThat(loads.load(name("one more"))).isNotDone();
  }
}

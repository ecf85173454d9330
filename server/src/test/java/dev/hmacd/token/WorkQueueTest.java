package dev.hmacd.token;

import static org.assertj.core.api.Assertions.assertThat;

import dev.hmacd.key.DaemonKey;
import dev.hmacd.key.KeyObject;
import dev.hmacd.key.MacAlgorithm;
import dev.hmacd.limit.Owner;
import dev.hmacd.testing.Eventually;
import dev.hmacd.token.TokenException.Kind;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.BooleanSupplier;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/// Outcomes of the jobs of a work queue, and the wake-up of its idle threads. An idle thread waits
/// for an hour, so a missing wake-up fails a test.
final class WorkQueueTest {
  private static final Duration LONG = Duration.ofHours(1);
  private static final KeyObject KEY = new KeyObject("work queue", "0a");
  private static final Owner GREEDY = Owner.of("issuer", "greedy");
  private static final Owner MODEST = Owner.of("issuer", "modest");

  private final CircuitBreaker circuit = new CircuitBreaker();
  private final WorkQueue queue = new WorkQueue(new UnusedToken(circuit), 100, LONG);
  private final List<Thread> takers = new ArrayList<>();
  private final List<Job<?>> taken = new CopyOnWriteArrayList<>();

  @AfterEach
  void stop() throws InterruptedException {
    queue.stop();
    awaitTakers();
  }

  /// Starts threads that take one job each. Returns when they wait for a job.
  private void startTakers(int count) {
    for (int i = 0; i < count; i++) {
      takers.add(
          Thread.ofPlatform()
              .start(
                  () -> {
                    Job<?> job = queue.take();
                    if (job != null) {
                      taken.add(job);
                    }
                  }));
    }
    Eventually.holds(
        "all threads wait for a job",
        () -> takers.stream().allMatch(each -> each.getState() == Thread.State.TIMED_WAITING));
  }

  /// Waits until all threads have ended.
  private void awaitTakers() throws InterruptedException {
    for (Thread taker : takers) {
      assertThat(taker.join(Eventually.LIMIT)).as("the idle thread was woken").isTrue();
    }
  }

  /// The queue reads only the circuit breaker and the serial number of its token.
  private record UnusedToken(CircuitBreaker circuit) implements Token {
    @Override
    public TokenInfo info() {
      return new TokenInfo("label", "serial", "", "", OptionalLong.empty());
    }

    @Override
    public TokenSession open() {
      throw new UnsupportedOperationException();
    }

    @Override
    public boolean reinitialize(BooleanSupplier needed) {
      throw new UnsupportedOperationException();
    }

    @Override
    public void retryPin() {
      throw new UnsupportedOperationException();
    }
  }

  private static long deadline() {
    return System.nanoTime() + LONG.toNanos();
  }

  private static Job<byte[]> job(RecordedCompletion completion) {
    return Job.sign(
        new SignRequest(KEY, null, MacAlgorithm.HMAC_SHA_256, new byte[1], deadline()), completion);
  }

  private static Job<byte[]> job(Owner owner, int messageBytes, RecordedCompletion completion) {
    assertThat(completion.owner()).isEqualTo(owner);
    return Job.sign(
        new SignRequest(KEY, null, MacAlgorithm.HMAC_SHA_256, new byte[messageBytes], deadline()),
        completion);
  }

  private RecordedCompletion added(Owner owner, int messageBytes) {
    var completion = new RecordedCompletion(owner);
    queue.add(job(owner, messageBytes, completion));
    return completion;
  }

  private static Job<byte[]> healthCheck() {
    return Job.healthCheck(
        new DaemonKey(DaemonKey.Purpose.PROBE, KEY, "00"), deadline(), new RecordedCompletion());
  }

  /// A completion that throws after it has recorded a failure.
  private static RecordedCompletion throwing() {
    return new RecordedCompletion() {
      @Override
      public void failed(TokenException cause) {
        super.failed(cause);
        throw new IllegalStateException("thrown by the test");
      }
    };
  }

  /// Queues jobs whose completions throw, and other jobs.
  private List<RecordedCompletion> queued() {
    List<RecordedCompletion> completions =
        Stream.of(
                throwing(),
                new RecordedCompletion(),
                throwing(),
                new RecordedCompletion(),
                new RecordedCompletion())
            .toList();
    completions.forEach(completion -> queue.add(job(completion)));
    return completions;
  }

  private static void assertFailed(List<RecordedCompletion> completions, Kind kind) {
    assertThat(completions)
        .allMatch(completion -> completion.hasFailed(kind))
        .allMatch(completion -> completion.answers() == 1);
  }

  /// The queue of this test has 100 places. A place stands for 4 KiB.
  @Test
  void longMessageTakesAPlaceForEachPiece() {
    for (int i = 0; i < 6; i++) {
      assertThat(added(GREEDY, 65_536).isAnswered()).isFalse(); // 96 places.
    }
    assertThat(added(GREEDY, 4 * 4096 + 1).hasFailed(Kind.OWNER_BUSY)).isTrue();
    assertThat(added(GREEDY, 4 * 4096).isAnswered()).isFalse();
    assertThat(added(GREEDY, 1).hasFailed(Kind.OWNER_BUSY)).isTrue();
    assertThat(queue.size()).isEqualTo(7);
  }

  @Test
  void modestOwnerEvictsLongMessagesOfTheGreedyOwner() {
    List<RecordedCompletion> greedy = new ArrayList<>();
    for (int i = 0; i < 6; i++) {
      greedy.add(added(GREEDY, 65_536));
    }
    assertThat(added(MODEST, 8 * 4096).isAnswered()).isFalse();
    assertThat(greedy.removeLast().hasFailed(Kind.OWNER_BUSY)).isTrue();
    assertThat(greedy).noneMatch(RecordedCompletion::isAnswered);
    assertThat(queue.size()).isEqualTo(6);
  }

  /// The greedy owner would have fewer places than the other before there is room.
  @Test
  void noJobIsEvictedInVain() {
    List<RecordedCompletion> greedy = new ArrayList<>();
    for (int i = 0; i < 100; i++) {
      greedy.add(added(GREEDY, 1));
    }
    assertThat(added(MODEST, 60 * 4096).hasFailed(Kind.BUSY)).isTrue();
    assertThat(greedy).noneMatch(RecordedCompletion::isAnswered);
    assertThat(queue.size()).isEqualTo(100);
    assertThat(added(MODEST, 40 * 4096).isAnswered()).isFalse();
    assertThat(greedy.subList(60, 100)).allMatch(each -> each.hasFailed(Kind.OWNER_BUSY));
    assertThat(greedy.subList(0, 60)).noneMatch(RecordedCompletion::isAnswered);
  }

  /// Otherwise a short queue would refuse each long message for ever.
  @Test
  void emptyQueueAcceptsAMessageAboveItsPlaces() {
    assertThat(added(GREEDY, 1 << 20).isAnswered()).isFalse(); // 256 places.
    assertThat(added(MODEST, 1).hasFailed(Kind.BUSY)).isTrue();
    assertThat(queue.take()).isNotNull();
    assertThat(added(MODEST, 1).isAnswered()).isFalse();
  }

  @Test
  void costOfALongMessageGrowsWithItsLength() {
    var completion = new RecordedCompletion();
    assertThat(
            Stream.of(1, 4096, 4097, 65_536, 1 << 20)
                .map(bytes -> job(Owner.DAEMON, bytes, completion).cost()))
        .containsExactly(1, 1, 2, 16, 256);
  }

  @Test
  void eachIdleThreadTakesAJob() throws InterruptedException {
    int count = 8;
    startTakers(count);
    List<Job<?>> jobs = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      jobs.add(job(new RecordedCompletion()));
    }
    jobs.forEach(queue::add);
    awaitTakers();
    assertThat(taken).containsExactlyInAnyOrderElementsOf(jobs);
  }

  @Test
  void eachHealthCheckWakesAnIdleThread() throws InterruptedException {
    int count = 4;
    startTakers(count);
    for (int i = 0; i < count; i++) {
      queue.add(healthCheck());
    }
    awaitTakers();
    assertThat(taken).hasSize(count);
  }

  @Test
  void eachJobThatIsGivenBackWakesAnIdleThread() throws InterruptedException {
    startTakers(4);
    for (int i = 0; i < 2; i++) {
      queue.giveBack(job(new RecordedCompletion()));
      queue.giveBack(healthCheck());
    }
    awaitTakers();
    assertThat(taken).hasSize(4);
    assertThat(taken).filteredOn(Job::isHealthCheck).hasSize(2);
  }

  @Test
  void stopWakesAllIdleThreads() throws InterruptedException {
    startTakers(4);
    queue.stop();
    awaitTakers();
    assertThat(taken).isEmpty();
  }

  @Test
  void eachExpiredJobFailsAlthoughACompletionThrows() {
    List<RecordedCompletion> completions = queued();
    queue.failExpired(System.nanoTime());
    assertThat(completions).noneMatch(RecordedCompletion::isAnswered);
    queue.failExpired(System.nanoTime() + LONG.toNanos());
    assertFailed(completions, Kind.LATE);
    assertThat(queue.size()).isZero();
  }

  @Test
  void eachJobFailsAfterTheCircuitBreakerHasOpenedAlthoughACompletionThrows() {
    List<RecordedCompletion> completions = queued();
    circuit.set(CircuitBreaker.State.OUT);
    queue.failExpired(System.nanoTime());
    assertFailed(completions, Kind.UNAVAILABLE);
    assertThat(queue.size()).isZero();
  }

  @Test
  void eachRemainingJobFailsAlthoughACompletionThrows() {
    List<RecordedCompletion> completions = queued();
    queue.stop();
    queue.failRemaining();
    assertFailed(completions, Kind.STOPPED);
    assertThat(queue.size()).isZero();
  }
}

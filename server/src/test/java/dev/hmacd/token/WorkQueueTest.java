package dev.hmacd.token;

import static org.assertj.core.api.Assertions.assertThat;

import dev.hmacd.key.KeyObject;
import dev.hmacd.key.MacAlgorithm;
import dev.hmacd.token.TokenException.Kind;
import java.time.Duration;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/// Outcomes of the jobs of a work queue.
final class WorkQueueTest {
  private static final Duration LONG = Duration.ofHours(1);
  private static final KeyObject KEY = new KeyObject("work queue", "0a");

  private final CircuitBreaker circuit = new CircuitBreaker();
  private final WorkQueue queue = new WorkQueue(100, circuit);

  private static Job<byte[]> job(RecordedCompletion completion) {
    long deadline = System.nanoTime() + LONG.toNanos();
    return Job.sign(
        new SignRequest(KEY, null, MacAlgorithm.HMAC_SHA_256, new byte[1], deadline), completion);
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

package dev.hmacd.client;

import static java.util.concurrent.TimeUnit.MILLISECONDS;
import static java.util.concurrent.TimeUnit.SECONDS;
import static org.assertj.core.api.Assertions.assertThat;

import dev.hmacd.client.TargetPicker.Pick;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;

class TargetPickerTest {
  /// A monotonic clock overflows: the times of the tests do, too.
  private static final long START = Long.MAX_VALUE - MILLISECONDS.toNanos(150);

  /// The middle of the jitter: no jitter.
  private static final double MIDDLE = 0.5;

  private static TargetPicker picker(int targets) {
    return new TargetPicker(targets, () -> MIDDLE);
  }

  private static long at(long millis) {
    return START + MILLISECONDS.toNanos(millis);
  }

  @Test
  void usableTargetsTakeTurns() {
    TargetPicker picker = picker(3);
    assertThat(IntStream.range(0, 7).map(i -> picker.next(START).target()))
        .containsExactly(0, 1, 2, 0, 1, 2, 0);
  }

  @Test
  void otherTargetsAreUsableUnlessThereIsOneTarget() {
    assertThat(picker(2).next(START).othersUsable()).isTrue();
    assertThat(picker(1).next(START).othersUsable()).isFalse();
  }

  @Test
  void suspendedTargetIsSkippedAndThenProbedOnce() {
    TargetPicker picker = picker(2);
    picker.failed(picker.next(START), START);
    for (int i = 0; i < 3; i++) {
      Pick other = picker.next(at(99));
      assertThat(other.target()).isEqualTo(1);
      assertThat(other.othersUsable()).isFalse();
    }
    Pick probe = picker.next(at(100));
    assertThat(probe.target()).isZero();
    assertThat(probe.probe()).isTrue();
    assertThat(picker.next(at(100)).target()).isEqualTo(1);
    assertThat(picker.next(at(100)).target()).isEqualTo(1);
    picker.answered(probe);
    assertThat(picker.next(at(100)).target()).isZero();
    assertThat(picker.next(at(100)).target()).isEqualTo(1);
  }

  @Test
  void probeWithoutOutcomeIsFollowedByAnother() {
    TargetPicker picker = picker(1);
    picker.failed(picker.next(START), START);
    Pick probe = picker.next(at(100));
    assertThat(picker.next(at(100)).usable()).isFalse();
    picker.released(probe);
    assertThat(picker.next(at(100)).probe()).isTrue();
  }

  @Test
  void suspensionDoublesUpToFiveSecondsAndStartsAgainAfterAnAnswer() {
    TargetPicker picker = picker(1);
    long now = START;
    for (long millis : new long[] {100, 200, 400, 800, 1600, 3200, 5000, 5000}) {
      picker.failed(picker.next(now), now);
      Pick early = picker.next(now);
      assertThat(early.usable()).isFalse();
      assertThat(early.suspendedUntil() - now).isEqualTo(MILLISECONDS.toNanos(millis));
      now = early.suspendedUntil();
    }
    picker.answered(picker.next(now));
    picker.failed(picker.next(now), now);
    assertThat(picker.next(now).suspendedUntil() - now).isEqualTo(MILLISECONDS.toNanos(100));
  }

  @Test
  void jitterIsAFifth() {
    for (double random : new double[] {0, 0.25, 1}) {
      var picker = new TargetPicker(1, () -> random);
      picker.failed(picker.next(0), 0);
      assertThat(picker.next(0).suspendedUntil())
          .isEqualTo((long) (MILLISECONDS.toNanos(100) * (0.8 + 0.4 * random)));
    }
  }

  /// All calls in flight fail together when a daemon ends.
  @Test
  void failuresOfAttemptsBeforeTheSuspensionDoNotLengthenIt() {
    TargetPicker picker = picker(1);
    Pick[] picks = LongStream.range(0, 50).mapToObj(i -> picker.next(START)).toArray(Pick[]::new);
    for (Pick pick : picks) {
      picker.failed(pick, at(10));
    }
    assertThat(picker.next(at(10)).suspendedUntil()).isEqualTo(at(110));
  }

  @Test
  void firstEndOfSuspensionIsTakenIfNoTargetIsUsable() {
    TargetPicker picker = picker(3);
    Pick first = picker.next(START);
    Pick second = picker.next(START);
    Pick third = picker.next(START);
    picker.failed(second, at(1));
    picker.failed(first, at(2));
    picker.failed(third, at(3));
    Pick pick = picker.next(at(4));
    assertThat(pick.usable()).isFalse();
    assertThat(pick.target()).isEqualTo(1);
    assertThat(pick.othersUsable()).isFalse();
    assertThat(pick.probe()).isFalse();
  }

  @Test
  void answerEndsTheSuspension() {
    TargetPicker picker = picker(1);
    Pick slow = picker.next(START);
    picker.failed(picker.next(START), START);
    picker.answered(slow);
    assertThat(picker.next(START).usable()).isTrue();
    assertThat(picker.next(START).probe()).isFalse();
  }

  @Test
  void longIdleTimeDoesNotMatter() {
    TargetPicker picker = picker(2);
    picker.failed(picker.next(START), START);
    assertThat(picker.next(START + SECONDS.toNanos(86_400)).usable()).isTrue();
  }
}

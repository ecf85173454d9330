package dev.hmacd.client.testing;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.hmacd.client.DeadlineExceededException;
import dev.hmacd.client.ErrorReason;
import dev.hmacd.client.HmacdClient;
import dev.hmacd.client.HmacdException;
import dev.hmacd.client.MacAlgorithm;
import java.time.Duration;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/// Each fault, through the real client. Deadlines are long: only a test of a missing answer reaches
/// its deadline.
@Timeout(120)
class FaultTest {
  private static final byte[] MESSAGE = "hello".getBytes(UTF_8);
  private static final MacAlgorithm ALGORITHM = MacAlgorithm.HMAC_SHA_256;
  private static final String KEY = "alias/orders";
  private static final Duration DAY = Duration.ofDays(1);
  private static final Duration SHORT = Duration.ofSeconds(1);

  private final FakeHmacd fake =
      FakeHmacd.start().key(KEY, ALGORITHM, "a secret of this test".getBytes(UTF_8));
  private final HmacdClient client =
      HmacdClient.builder().target(fake.target()).deadlineAfter(Duration.ofMinutes(2)).build();

  @AfterEach
  void close() {
    client.close();
    fake.close();
  }

  @Test
  void errorHasItsReason() {
    List<ErrorReason> reasons =
        Stream.of(ErrorReason.values()).filter(Contract::hasReason).toList();
    for (ErrorReason reason : reasons) {
      fake.next(1, Fault.errorWithoutRetry(reason));
      HmacdException failure = failure();
      assertThat(failure.reason()).isEqualTo(reason);
      assertThat(failure.attempts()).as(reason.name()).isEqualTo(1);
    }
    client.generateMac(KEY, MESSAGE, ALGORITHM);
    assertThat(fake.attempts()).isEqualTo(reasons.size() + 1);
  }

  @Test
  void reasonOfTheClientIsNoFault() {
    assertThat(ErrorReason.values())
        .filteredOn(reason -> !Contract.hasReason(reason))
        .isNotEmpty()
        .allSatisfy(
            reason ->
                assertThatIllegalArgumentException()
                    .isThrownBy(() -> Fault.error(reason))
                    .withMessageContaining(reason.name()));
  }

  @Test
  void busyTokenIsRetried() {
    fake.next(2, Fault.error(ErrorReason.TOKEN_BUSY));
    client.generateMac(KEY, MESSAGE, ALGORITHM);
    assertThat(fake.attempts()).isEqualTo(3);
  }

  @Test
  void faultsAreTakenInOrder() {
    fake.next(1, Fault.errorWithoutRetry(ErrorReason.TOKEN_BUSY))
        .next(1, Fault.error(ErrorReason.ACCESS_DENIED));
    assertThat(failure().reason()).isEqualTo(ErrorReason.TOKEN_BUSY);
    assertThat(failure().reason()).isEqualTo(ErrorReason.ACCESS_DENIED);
    client.generateMac(KEY, MESSAGE, ALGORITHM);
  }

  @Test
  void retryDelayReplacesThatOfTheDaemon() {
    fake.next(1, Fault.error(ErrorReason.TOKEN_BUSY, DAY));
    assertThat(failure().attempts()).isEqualTo(1); // The delay ends after the deadline.
    fake.next(1, Fault.error(ErrorReason.TOKEN_BUSY, Duration.ZERO));
    client.generateMac(KEY, MESSAGE, ALGORITHM);
    assertThat(fake.attempts()).isEqualTo(3);
  }

  @Test
  void errorWithoutAReasonIsAConnectionFailure() {
    fake.next(1, Fault.unavailable());
    client.generateMac(KEY, MESSAGE, ALGORITHM);
    assertThat(fake.attempts()).isEqualTo(2);
    fake.next(1000, Fault.unavailable());
    HmacdException failure =
        catchThrowableOfType(
            HmacdException.class,
            () -> client.withDeadlineAfter(SHORT).generateMac(KEY, MESSAGE, ALGORITHM));
    assertThat(failure.reason()).isIn(ErrorReason.CONNECTION_FAILED, ErrorReason.DEADLINE_EXCEEDED);
  }

  @Test
  void lateAnswerIsRight() {
    byte[] mac = client.generateMac(KEY, MESSAGE, ALGORITHM).toByteArray();
    Duration delay = Duration.ofMillis(200);
    fake.next(1, Fault.late(delay));
    long start = System.nanoTime();
    client.verifyMac(KEY, MESSAGE, ALGORITHM, mac);
    assertThat(System.nanoTime() - start).isGreaterThanOrEqualTo(delay.toNanos());
    assertThat(fake.attempts()).isEqualTo(2);
  }

  @Test
  void answerAfterTheDeadlineIsNoVerdict() {
    byte[] mac = client.generateMac(KEY, MESSAGE, ALGORITHM).toByteArray();
    fake.next(1, Fault.late(DAY));
    DeadlineExceededException late =
        catchThrowableOfType(
            DeadlineExceededException.class,
            () -> client.withDeadlineAfter(SHORT).verifyMac(KEY, MESSAGE, ALGORITHM, mac));
    assertThat(late.mayHaveRun()).isTrue();
    client.verifyMac(KEY, MESSAGE, ALGORITHM, mac);
  }

  @Test
  void callWithoutAnAnswerEndsAtItsDeadline() {
    client.generateMac(KEY, MESSAGE, ALGORITHM);
    fake.next(1, Fault.noAnswer());
    DeadlineExceededException none =
        catchThrowableOfType(
            DeadlineExceededException.class,
            () -> client.withDeadlineAfter(SHORT).generateMac(KEY, MESSAGE, ALGORITHM));
    assertThat(none.attempts()).isEqualTo(1);
    client.generateMac(KEY, MESSAGE, ALGORITHM);
  }

  @Test
  void callWithoutAnAnswerEndsWithTheFake() {
    fake.next(1, Fault.noAnswer());
    var mac =
        client.withDeadlineAfter(Duration.ofSeconds(10)).generateMacAsync(KEY, MESSAGE, ALGORITHM);
    while (fake.attempts() == 0) {
      Thread.onSpinWait();
    }
    fake.close();
    assertThat(mac.handle((none, failure) -> failure).join()).isNotNull();
  }

  @Test
  void damageIsAttemptedOnceMore() {
    byte[] mac = client.generateMac(KEY, MESSAGE, ALGORITHM).toByteArray();
    fake.next(1, Fault.damagedChecksum());
    assertThat(client.generateMac(KEY, MESSAGE, ALGORITHM).toByteArray()).isEqualTo(mac);
    fake.next(1, Fault.damagedChecksum());
    client.verifyMac(KEY, MESSAGE, ALGORITHM, mac);
    assertThat(fake.attempts()).isEqualTo(5);
  }

  @Test
  void repeatedDamageIsNoVerdict() {
    byte[] mac = client.generateMac(KEY, MESSAGE, ALGORITHM).toByteArray();
    fake.next(4, Fault.damagedChecksum());
    HmacdException generated = failure();
    HmacdException verified =
        catchThrowableOfType(
            HmacdException.class, () -> client.verifyMac(KEY, MESSAGE, ALGORITHM, mac));
    assertThat(generated.reason()).isEqualTo(ErrorReason.CHECKSUM_MISMATCH);
    assertThat(verified.reason()).isEqualTo(ErrorReason.CHECKSUM_MISMATCH);
    assertThat(fake.attempts()).isEqualTo(5);
  }

  @Test
  void faultMustBePossible() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Fault.late(Duration.ofMillis(-1)))
        .withMessageContaining("PT-0.001S");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Fault.error(ErrorReason.TOKEN_BUSY, Duration.ofMillis(-1)));
    assertThatIllegalArgumentException().isThrownBy(() -> fake.next(0, Fault.noAnswer()));
  }

  private HmacdException failure() {
    return catchThrowableOfType(
        HmacdException.class, () -> client.generateMac(KEY, MESSAGE, ALGORITHM));
  }
}

package dev.hmacd.client;

import static java.util.concurrent.TimeUnit.MILLISECONDS;
import static org.assertj.core.api.Assertions.assertThat;

import com.google.rpc.ErrorInfo;
import io.grpc.Status;
import io.grpc.Status.Code;
import java.security.cert.CertificateException;
import java.util.Arrays;
import java.util.Map;
import java.util.OptionalLong;
import java.util.Set;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// The pure parts of retries: action by reason, back-off, budget.
class RetryRulesTest {
  @Test
  void actionsAreThoseOfTheRule() {
    Map<RetryAction, Set<ErrorReason>> reasons =
        Arrays.stream(ErrorReason.values())
            .collect(Collectors.groupingBy(RetryAction::after, Collectors.toSet()));
    assertThat(reasons.get(RetryAction.NEXT_TARGET))
        .containsExactlyInAnyOrder(
            ErrorReason.STOPPING, ErrorReason.CONNECTION_FAILED, ErrorReason.TLS_FAILED);
    assertThat(reasons.get(RetryAction.BACK_OFF))
        .containsExactlyInAnyOrder(
            ErrorReason.TOKEN_UNAVAILABLE,
            ErrorReason.KEY_UNAVAILABLE,
            ErrorReason.REGISTRY_UNAVAILABLE,
            ErrorReason.TOKEN_BUSY,
            ErrorReason.REGISTRY_BUSY,
            ErrorReason.MEMORY_BUSY);
    assertThat(reasons.get(RetryAction.ONCE_MORE)).containsExactly(ErrorReason.CHECKSUM_MISMATCH);
    assertThat(reasons.get(RetryAction.RECONNECT)).containsExactly(ErrorReason.UNAUTHENTICATED);
  }

  /// `[retry]` in `error_reason.proto`, and the local reasons that can end.
  @Test
  void retryableReasonsAreThoseOfTheContract() {
    assertThat(
            Arrays.stream(ErrorReason.values())
                .filter(reason -> Failure.local(reason, Code.OK, "text").retryable()))
        .containsExactlyInAnyOrder(
            ErrorReason.CHECKSUM_MISMATCH,
            ErrorReason.TOKEN_BUSY,
            ErrorReason.REGISTRY_BUSY,
            ErrorReason.MEMORY_BUSY,
            ErrorReason.DEADLINE_EXCEEDED,
            ErrorReason.TOKEN_UNAVAILABLE,
            ErrorReason.KEY_UNAVAILABLE,
            ErrorReason.REGISTRY_UNAVAILABLE,
            ErrorReason.STOPPING,
            ErrorReason.CONNECTION_FAILED);
  }

  @ParameterizedTest
  @CsvSource({"1, 50", "2, 100", "3, 200", "4, 400", "5, 800", "6, 1000", "7, 1000", "1000, 1000"})
  void backOffIsARandomPartOfABoundThatDoublesUpToASecond(int attempts, long boundMillis) {
    var noDelay = OptionalLong.empty();
    long bound = MILLISECONDS.toNanos(boundMillis);
    assertThat(Backoff.waitNanos(noDelay, attempts, 0)).isZero();
    assertThat(Backoff.waitNanos(noDelay, attempts, 0.5)).isEqualTo(bound / 2);
    assertThat(Backoff.waitNanos(noDelay, attempts, Math.nextDown(1.0)))
        .isBetween(bound - 1, bound);
  }

  @Test
  void backOffFollowsTheDelayOfTheDaemon() {
    long delay = MILLISECONDS.toNanos(7);
    assertThat(Backoff.waitNanos(OptionalLong.of(delay), 1, 0)).isEqualTo(delay);
    assertThat(Backoff.waitNanos(OptionalLong.of(delay), 2, 0.5))
        .isEqualTo(delay + MILLISECONDS.toNanos(50));
    assertThat(Backoff.waitNanos(OptionalLong.of(0), 2, 0.5)).isZero();
  }

  @ParameterizedTest
  @CsvSource({
    "NEW_REASON, true, BACK_OFF",
    "NEW_REASON, false, NONE",
    "KEY_NOT_USABLE, true, NONE"
  })
  void onlyAnUnknownReasonNeedsTheDelayOfTheDaemon(
      String reason, boolean hasRetryInfo, RetryAction action) {
    var info = ErrorInfo.newBuilder().setReason(reason).build();
    Failure failure = Failure.ofDaemon(info, Status.UNAVAILABLE, hasRetryInfo);
    assertThat(RetryAction.after(failure)).isEqualTo(action);
    assertThat(failure.retryable()).isEqualTo(action == RetryAction.BACK_OFF);
  }

  @Test
  void localFailuresAreRetryableUnlessTheCallerMustAct() {
    Failure closed = Failure.local(ErrorReason.CLOSED, Code.UNAVAILABLE, "text");
    assertThat(closed.retryable()).isFalse();
    Failure unavailable = Failure.ofConnection(Status.UNAVAILABLE);
    assertThat(unavailable)
        .returns(ErrorReason.CONNECTION_FAILED, Failure::reason)
        .returns(true, Failure::retryable)
        .returns(false, Failure::lasting);
    Failure untrusted =
        Failure.ofConnection(Status.UNAVAILABLE.withCause(new CertificateException("unknown")));
    assertThat(untrusted)
        .returns(ErrorReason.TLS_FAILED, Failure::reason)
        .returns(false, Failure::retryable)
        .returns(true, Failure::lasting);
  }

  @Test
  void budgetIsAHundredRetriesAndOneForTenSuccesses() {
    var budget = new RetryBudget();
    for (int i = 0; i < 100; i++) {
      budget.succeededAtFirstAttempt(); // The bucket is full.
    }
    for (int i = 0; i < 100; i++) {
      assertThat(budget.take()).isTrue();
    }
    assertThat(budget.take()).isFalse();
    for (int i = 0; i < 9; i++) {
      budget.succeededAtFirstAttempt();
    }
    assertThat(budget.take()).isFalse();
    budget.succeededAtFirstAttempt();
    assertThat(budget.take()).isTrue();
    assertThat(budget.take()).isFalse();
  }
}

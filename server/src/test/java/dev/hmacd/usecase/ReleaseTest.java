package dev.hmacd.usecase;

import static org.assertj.core.api.Assertions.assertThat;

import dev.hmacd.access.Action;
import dev.hmacd.access.Decision;
import dev.hmacd.access.Principal;
import dev.hmacd.limit.Owner;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/// The release of an answer, with checks that the test completes.
final class ReleaseTest {
  private static final Failure WITHDRAWN = new Failure.KeyNotFound("key");

  private final Check authorization = new Check();
  private final List<Reauthorization> again = new ArrayList<>();
  private final Call call = call(Duration.ofMinutes(1));

  private static Call call(Duration limit) {
    return Call.ofDaemon(Principal.commonName("test"), System.nanoTime() + limit.toNanos());
  }

  /// A check that is current, or whose renewal the test completes.
  private static final class Check implements Reauthorization {
    private boolean isCurrent;
    private CompletableFuture<Reauthorization> renewal = new CompletableFuture<>();

    @Override
    public boolean isCurrent() {
      return isCurrent;
    }

    @Override
    public CompletableFuture<Reauthorization> renew() {
      return renewal.copy();
    }
  }

  private @Nullable Outcome release(Reauthorization check) {
    return call.release(Outcome.ANSWERED, check, again::add);
  }

  @Test
  void currentCheckReleasesTheAnswer() {
    authorization.isCurrent = true;
    assertThat(release(authorization)).isEqualTo(Outcome.ANSWERED);
    assertThat(call.isConcluded()).isTrue();
    assertThat(release(authorization)).as("an answer of a concluded call").isNull();
  }

  @Test
  void checkThatIsRenewedAtOnceReleasesTheAnswer() {
    authorization.renewal.complete(Reauthorization.NONE);
    assertThat(release(authorization)).isEqualTo(Outcome.ANSWERED);
    assertThat(again).isEmpty();
  }

  @Test
  void failureOfTheCheckReplacesTheAnswer() {
    authorization.renewal.completeExceptionally(new Refusal(WITHDRAWN));
    assertThat(release(authorization)).isEqualTo(new Outcome.Failed(WITHDRAWN));
  }

  @Test
  void failureThatDisclosesAResultIsReplacedToo() {
    authorization.renewal.completeExceptionally(new Refusal(WITHDRAWN));
    assertThat(
            call.release(new Outcome.Failed(new Failure.InvalidMac()), authorization, again::add))
        .isEqualTo(new Outcome.Failed(WITHDRAWN));
  }

  @Test
  void answerWaitsForTheRegistryAndIsReleasedAgain() {
    assertThat(release(authorization)).isNull();
    assertThat(call.isConcluded()).isFalse();
    var renewed = new Check();
    renewed.isCurrent = true;
    authorization.renewal.complete(renewed);
    assertThat(again).containsExactly(renewed);
    assertThat(release(again.getFirst())).isEqualTo(Outcome.ANSWERED);
  }

  @Test
  void changeDuringTheWaitIsCheckedAgain() {
    assertThat(release(authorization)).isNull();
    var changedAgain = new Check();
    authorization.renewal.complete(changedAgain);
    assertThat(release(again.getFirst())).isNull();
    changedAgain.renewal.completeExceptionally(new Refusal(WITHDRAWN));
    assertThat(release(again.getLast())).isEqualTo(new Outcome.Failed(WITHDRAWN));
  }

  @Test
  void failureAfterTheWaitReplacesTheAnswer() {
    assertThat(release(authorization)).isNull();
    authorization.renewal.completeExceptionally(new Refusal(WITHDRAWN));
    assertThat(release(again.getFirst())).isEqualTo(new Outcome.Failed(WITHDRAWN));
  }

  @Test
  void answerDoesNotWaitAfterTheDeadline() {
    Call late = call(Duration.ZERO);
    assertThat(late.release(Outcome.ANSWERED, authorization, again::add))
        .isEqualTo(new Outcome.Failed(new Failure.DeadlineExceeded()));
  }

  @Test
  void invalidCredentialsReplaceTheAnswer() {
    var credentials = new Check();
    call.authenticated(Principal.commonName("test"), Owner.DAEMON, credentials);
    authorization.isCurrent = true;
    assertThat(release(authorization)).isNull();
    credentials.renewal.completeExceptionally(new Refusal(new Failure.Unauthenticated()));
    assertThat(release(again.getFirst()))
        .isEqualTo(new Outcome.Failed(new Failure.Unauthenticated()));
  }

  @Test
  void credentialsAreCheckedBeforeTheAuthorization() {
    var credentials = new Check();
    credentials.renewal.completeExceptionally(new Refusal(new Failure.Unauthenticated()));
    call.authenticated(Principal.commonName("test"), Owner.DAEMON, credentials);
    authorization.renewal.completeExceptionally(new Refusal(WITHDRAWN));
    assertThat(release(authorization)).isEqualTo(new Outcome.Failed(new Failure.Unauthenticated()));
  }

  /// The time is a multiple of 5 ms after the arrival, whatever the look-up has taken.
  @Test
  void denialIsAnsweredLater() {
    var denied =
        new Outcome.Failed(
            new Failure.Denied(
                Principal.commonName("test"), Action.GENERATE_MAC, Decision.NO_RULE));
    var later = new CompletableFuture<Reauthorization>();
    assertThat(call.release(denied, Reauthorization.NONE, later::complete)).isNull();
    assertThat(call.isConcluded()).isFalse();
    Reauthorization due = later.join();
    assertThat(call.ageNanos(System.nanoTime())).isGreaterThanOrEqualTo(5_000_000);
    assertThat(call.release(denied, due, again::add)).isEqualTo(denied);
    assertThat(again).isEmpty();
  }

  @Test
  void checkThatThrowsReleasesNothing() {
    var broken =
        new Reauthorization() {
          @Override
          public boolean isCurrent() {
            throw new IllegalStateException("thrown by the test");
          }

          @Override
          public CompletableFuture<Reauthorization> renew() {
            throw new IllegalStateException("thrown by the test");
          }
        };
    assertThat(release(broken))
        .isInstanceOfSatisfying(
            Outcome.Failed.class,
            failed -> assertThat(failed.failure()).isInstanceOf(Failure.Unforeseen.class));
  }
}

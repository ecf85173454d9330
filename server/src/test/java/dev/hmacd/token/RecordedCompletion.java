package dev.hmacd.token;

import static org.assertj.core.api.Assertions.assertThat;

import dev.hmacd.limit.Owner;
import dev.hmacd.testing.Eventually;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;

/// Waits for the answer of a lane, and counts answers: each call has exactly one.
class RecordedCompletion implements Completion<byte[]> {
  private static final Duration LIMIT = Eventually.LIMIT;

  private final CompletableFuture<byte[]> future = new CompletableFuture<>();
  private final AtomicInteger answers = new AtomicInteger();
  private final Owner owner;
  private volatile boolean abandoned;
  private volatile boolean withdrawn;

  RecordedCompletion() {
    this(Owner.DAEMON);
  }

  /// @param owner the owner of the operation
  RecordedCompletion(Owner owner) {
    this.owner = owner;
  }

  @Override
  public Owner owner() {
    return owner;
  }

  @Override
  public void done(byte[] value) {
    answers.incrementAndGet();
    future.complete(value);
  }

  @Override
  public void failed(TokenException cause) {
    answers.incrementAndGet();
    future.completeExceptionally(cause);
  }

  @Override
  public boolean isAbandoned() {
    return abandoned;
  }

  @Override
  public boolean isWithdrawn() {
    return withdrawn;
  }

  void withdraw() {
    withdrawn = true;
  }

  void abandon() {
    abandoned = true;
  }

  boolean isAnswered() {
    return future.isDone();
  }

  boolean hasFailed(TokenException.Kind kind) {
    return future.isCompletedExceptionally()
        && future.exceptionNow() instanceof TokenException failure
        && failure.kind() == kind;
  }

  /// The MAC; empty if the call failed with this kind. Other failures fail the test.
  Optional<byte[]> macUnless(TokenException.Kind kind) {
    try {
      return Optional.of(future.get(LIMIT.toNanos(), TimeUnit.NANOSECONDS));
    } catch (ExecutionException e) {
      assertThat(e.getCause())
          .isInstanceOfSatisfying(
              TokenException.class, failure -> assertThat(failure.kind()).isEqualTo(kind));
      return Optional.empty();
    } catch (TimeoutException e) {
      throw new AssertionError("no answer", e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new AssertionError(e);
    }
  }

  int answers() {
    return answers.get();
  }

  byte[] mac() {
    try {
      return future.get(LIMIT.toNanos(), TimeUnit.NANOSECONDS);
    } catch (ExecutionException | TimeoutException e) {
      throw new AssertionError("no MAC", e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new AssertionError(e);
    }
  }

  TokenException failure() {
    try {
      byte[] mac = future.get(LIMIT.toNanos(), TimeUnit.NANOSECONDS);
      throw new AssertionError("a MAC of " + mac.length + " bytes in place of a failure");
    } catch (ExecutionException e) {
      assertThat(e.getCause()).isInstanceOf(TokenException.class);
      return (TokenException) e.getCause();
    } catch (TimeoutException e) {
      throw new AssertionError("no answer", e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new AssertionError(e);
    }
  }
}

package dev.hmacd.token;

import dev.hmacd.token.TokenException.Fault;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;

/// Opens a session on a separate thread, so that a token that hangs does not block the start of
/// other tokens.
public final class SessionTrial {
  private SessionTrial() {}

  /// A trial on its thread.
  ///
  /// @param opened fails if the token opens no session
  /// @param ended completed after the further trials and the close of the session
  private record Running(CompletableFuture<Boolean> opened, CountDownLatch ended) {}

  /// Opens a logged-in session, and closes it.
  ///
  /// @param limit maximum wait
  /// @throws TokenException if the token does not open a session within the limit
  public static void run(Token token, Duration limit) throws TokenException {
    awaitOpened(start(token, _ -> {}), limit);
  }

  /// As [#run(Token, Duration)], with further trials in the session, which have a limit of their
  /// own: a token that is slow in them has opened a session. After the limit, they continue on
  /// their thread.
  ///
  /// @param limit maximum wait for the session, and maximum wait for the trials
  /// @param trials must not throw
  /// @return whether the trials have ended within the limit
  static boolean run(Token token, Duration limit, Consumer<TokenSession> trials)
      throws TokenException {
    Running running = start(token, trials);
    awaitOpened(running, limit);
    try {
      return running.ended().await(limit.toNanos(), TimeUnit.NANOSECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return false;
    }
  }

  private static Running start(Token token, Consumer<TokenSession> trials) {
    var running = new Running(new CompletableFuture<>(), new CountDownLatch(1));
    Runnable open =
        () -> {
          try (TokenSession session = token.open()) {
            running.opened().complete(true);
            trials.accept(session);
          } catch (TokenException | RuntimeException | Error e) {
            running.opened().completeExceptionally(e);
          } finally {
            running.ended().countDown();
          }
        };
    var _ = Thread.ofPlatform().name("hmacd-open").daemon().start(open);
    return running;
  }

  private static void awaitOpened(Running running, Duration limit) throws TokenException {
    try {
      var _ = running.opened().get(limit.toNanos(), TimeUnit.NANOSECONDS);
    } catch (ExecutionException e) {
      if (e.getCause() instanceof TokenException failure) {
        throw failure;
      }
      throw new IllegalStateException(e);
    } catch (TimeoutException e) {
      throw TokenException.fault(
          Fault.DEVICE,
          "the token did not open a session within "
              + limit
              + "; examine the HSM, or raise token.probe_timeout",
          e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw TokenException.fault(Fault.DEVICE, "interrupted while the token opened a session", e);
    }
  }
}

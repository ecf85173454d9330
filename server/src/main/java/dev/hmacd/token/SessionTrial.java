package dev.hmacd.token;

import dev.hmacd.token.TokenException.Fault;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;

/// Opens a session on a separate thread, so that a token that hangs does not block the start of
/// other tokens.
public final class SessionTrial {
  private SessionTrial() {}

  /// Opens a logged-in session, and closes it.
  ///
  /// @param limit maximum wait
  /// @throws TokenException if the token does not open a session within the limit
  public static void run(Token token, Duration limit) throws TokenException {
    run(token, limit, _ -> {});
  }

  /// As [#run(Token, Duration)], with further trials in the session.
  ///
  /// @param trials must not throw
  static void run(Token token, Duration limit, Consumer<TokenSession> trials)
      throws TokenException {
    CompletableFuture<Boolean> trial = new CompletableFuture<>();
    Runnable open =
        () -> {
          try (TokenSession session = token.open()) {
            trials.accept(session);
            trial.complete(true);
          } catch (TokenException | RuntimeException | Error e) {
            trial.completeExceptionally(e);
          }
        };
    var _ = Thread.ofPlatform().name("hmacd-open").daemon().start(open);
    try {
      var _ = trial.get(limit.toNanos(), TimeUnit.NANOSECONDS);
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

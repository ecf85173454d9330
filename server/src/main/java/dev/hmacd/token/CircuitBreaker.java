package dev.hmacd.token;

import com.google.errorprone.annotations.ThreadSafe;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;

/// Circuit breaker of a token: while it is open, the token is out of service and calls fail at
/// once. The [HealthCheck] opens and closes it. A lane only reports a fault from which it could not
/// recover.
@ThreadSafe
public final class CircuitBreaker {
  private enum State {
    /// Calls go to the token.
    IN_SERVICE,
    /// Calls fail at once. Health checks run.
    OUT,
    /// Calls fail at once. No health check runs before an operator has corrected the PIN.
    PIN_REFUSED
  }

  private final AtomicReference<State> state = new AtomicReference<>(State.IN_SERVICE);
  private volatile Consumer<TokenException> trouble = _ -> {};

  /// @param listener gets each fault from which a lane could not recover, on the lane's thread
  void onTrouble(Consumer<TokenException> listener) {
    trouble = listener;
  }

  /// Whether calls go to the token.
  public boolean isInService() {
    return state.get() == State.IN_SERVICE;
  }

  /// Whether the token refused its PIN: no login before an operator acts.
  public boolean isPinRefused() {
    return state.get() == State.PIN_REFUSED;
  }

  /// A job failed, and the lane could not recover.
  void failed(TokenException e) {
    if (e.isPinRefused()) {
      state.set(State.PIN_REFUSED); // Also before a listener is set.
    }
    trouble.accept(e);
  }

  void takeOut() {
    state.compareAndSet(State.IN_SERVICE, State.OUT);
  }

  void bringBack() {
    state.compareAndSet(State.OUT, State.IN_SERVICE);
  }

  /// An operator has corrected the PIN: health checks run again.
  void allowPin() {
    state.compareAndSet(State.PIN_REFUSED, State.OUT);
  }
}

package dev.hmacd.token;

import com.google.errorprone.annotations.ThreadSafe;

/// Circuit breaker of a token: while it is open, the token is out of service and calls fail at
/// once. Only the [HealthCheck] opens and closes the circuit breaker. A lane reports a fault from
/// which it could not recover, but does not open the circuit breaker.
@ThreadSafe
public final class CircuitBreaker {
  /// State of a circuit breaker.
  enum State {
    /// Calls go to the token.
    IN_SERVICE,
    /// Calls fail at once, but health checks run.
    OUT,
    /// The token refused its PIN: calls fail at once. No health check runs before an operator has
    /// corrected the PIN.
    PIN_REFUSED
  }

  private volatile State state = State.IN_SERVICE;

  /// Whether calls go to the token.
  public boolean isInService() {
    return state == State.IN_SERVICE;
  }

  /// Whether the token refused its PIN, so that no login is tried before an operator has corrected
  /// the PIN.
  public boolean isPinRefused() {
    return state == State.PIN_REFUSED;
  }

  State state() {
    return state;
  }

  void set(State next) {
    state = next;
  }
}

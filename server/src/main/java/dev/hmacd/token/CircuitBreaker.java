package dev.hmacd.token;

import com.google.errorprone.annotations.ThreadSafe;

/// Circuit breaker of a token: while it is open, the token is out of service and calls fail at
/// once. Only the [HealthCheck] opens and closes the circuit breaker. A lane only reports a fault
/// from which it could not recover.
@ThreadSafe
public final class CircuitBreaker {
  /// State of a circuit breaker.
  enum State {
    /// Calls go to the token.
    IN_SERVICE,
    /// Calls fail at once. Health checks run.
    OUT,
    /// Calls fail at once. No health check runs before an operator has corrected the PIN.
    PIN_REFUSED
  }

  private volatile State state = State.IN_SERVICE;

  /// Whether calls go to the token.
  public boolean isInService() {
    return state == State.IN_SERVICE;
  }

  /// Whether the token refused its PIN: no login before an operator acts.
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

package dev.hmacd.token;

import com.google.errorprone.annotations.ThreadSafe;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;

/// Whether a token is in service. The [Probe] decides, from what the token answers; lanes tell it
/// what they met, and give no call to a token that is out of service.
@ThreadSafe
public final class Circuit {
  private enum State {
    /// Calls go to the token.
    IN_SERVICE,
    /// Calls fail at once, and the probe asks whether the token is back.
    OUT,
    /// Calls fail at once, and nothing is asked until an operator has mended the PIN.
    PIN_REFUSED
  }

  private final AtomicReference<State> state = new AtomicReference<>(State.IN_SERVICE);
  private volatile Consumer<TokenException> trouble = _ -> {};

  /// @param listener is told of what a lane could not heal, on that lane's thread
  void onTrouble(Consumer<TokenException> listener) {
    trouble = listener;
  }

  /// Whether calls go to the token.
  public boolean isInService() {
    return state.get() == State.IN_SERVICE;
  }

  /// Whether the token refused its PIN, so that nothing is tried until an operator acts.
  public boolean isPinRefused() {
    return state.get() == State.PIN_REFUSED;
  }

  /// A lane could not do a job, and healing did not help.
  void failed(TokenException e) {
    if (e.isPinRefused()) {
      state.set(State.PIN_REFUSED); // Also before anybody listens.
    }
    trouble.accept(e);
  }

  void takeOut() {
    state.compareAndSet(State.IN_SERVICE, State.OUT);
  }

  void bringBack() {
    state.compareAndSet(State.OUT, State.IN_SERVICE);
  }

  /// An operator has mended the PIN: the probe may ask again.
  void allowPin() {
    state.compareAndSet(State.PIN_REFUSED, State.OUT);
  }
}

package dev.hmacd.client;

import static java.util.concurrent.TimeUnit.MILLISECONDS;
import static java.util.concurrent.TimeUnit.SECONDS;

import com.google.errorprone.annotations.ThreadSafe;
import com.google.errorprone.annotations.concurrent.GuardedBy;
import java.util.function.DoubleSupplier;

/// Load balancing between targets: each attempt takes the next usable target in turn.
///
/// A transport failure suspends a target: for 0.1 s, then twice as long after each further failure,
/// at most 5 s. The first attempt after a suspension is the probe: until it ends, the target takes
/// no other attempt. An answer of the daemon ends the suspension. The caller reports the end of
/// each pick with [#answered], [#failed] or [#released].
///
/// All times are of one monotonic clock, in nanoseconds.
@ThreadSafe
final class TargetPicker {
  private static final long FIRST_SUSPENSION = MILLISECONDS.toNanos(100);
  private static final long MAX_SUSPENSION = SECONDS.toNanos(5);
  private static final double MAX_JITTER = 0.2;

  private final DoubleSupplier random;

  @GuardedBy("this")
  private final State[] states;

  @GuardedBy("this")
  private int turn;

  /// @param random gives random numbers, 0 or more and less than 1
  TargetPicker(int targets, DoubleSupplier random) {
    this.random = random;
    this.states = new State[targets];
    for (int i = 0; i < targets; i++) {
      states[i] = new State();
    }
  }

  /// A target for one attempt.
  ///
  /// @param target the index of the target
  /// @param usable whether the target is usable; if not, no target is, and this is the target whose
  ///   suspension ends first
  /// @param othersUsable whether another target is usable
  /// @param probe whether this attempt is the probe of the target
  /// @param startedAt the time of the pick
  /// @param suspendedUntil the end of the suspension of a target that is not usable
  record Pick(
      int target,
      boolean usable,
      boolean othersUsable,
      boolean probe,
      long startedAt,
      long suspendedUntil) {}

  /// Picks the target of an attempt.
  synchronized Pick next(long now) {
    for (int i = 0; i < states.length; i++) {
      int target = (turn + i) % states.length;
      State state = states[target];
      if (state.isUsable(now)) {
        turn = (target + 1) % states.length;
        boolean probe = state.isSuspended();
        state.probing = probe;
        return new Pick(target, true, othersUsable(target, now), probe, now, now);
      }
    }
    int first = 0;
    for (int target = 1; target < states.length; target++) {
      if (states[target].suspendedUntil - states[first].suspendedUntil < 0) {
        first = target;
      }
    }
    return new Pick(first, false, false, false, now, states[first].suspendedUntil);
  }

  /// The daemon has answered: its target is usable.
  synchronized void answered(Pick pick) {
    State state = states[pick.target()];
    state.suspension = 0;
    state.probing = false;
  }

  /// The attempt had a transport failure: its target is suspended. Failures of attempts that began
  /// before the suspension do not lengthen it.
  synchronized void failed(Pick pick, long now) {
    State state = states[pick.target()];
    state.endProbe(pick);
    if (state.isSuspended() && pick.startedAt() - state.suspendedAt < 0) {
      return;
    }
    state.suspension =
        state.isSuspended() ? Math.min(2 * state.suspension, MAX_SUSPENSION) : FIRST_SUSPENSION;
    double jitter = 1 + MAX_JITTER * (2 * random.getAsDouble() - 1);
    state.suspendedAt = now;
    state.suspendedUntil = now + (long) (state.suspension * jitter);
  }

  /// The attempt has ended without evidence about its target.
  synchronized void released(Pick pick) {
    states[pick.target()].endProbe(pick);
  }

  @GuardedBy("this")
  private boolean othersUsable(int target, long now) {
    for (int other = 0; other < states.length; other++) {
      if (other != target && states[other].isUsable(now)) {
        return true;
      }
    }
    return false;
  }

  private static final class State {
    /// The length of the last suspension without jitter; 0 after an answer.
    private long suspension;

    private long suspendedAt;
    private long suspendedUntil;
    private boolean probing;

    boolean isSuspended() {
      return suspension > 0;
    }

    boolean isUsable(long now) {
      return !isSuspended() || (!probing && suspendedUntil - now <= 0);
    }

    void endProbe(Pick pick) {
      if (pick.probe()) {
        probing = false;
      }
    }
  }
}

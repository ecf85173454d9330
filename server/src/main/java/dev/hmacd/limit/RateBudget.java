package dev.hmacd.limit;

import com.google.errorprone.annotations.ThreadSafe;
import java.time.Duration;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.LongSupplier;

/// A budget of events per second for each owner, with a burst. An owner may go into debt: the cost
/// of an event is known only after it.
///
/// Uses the generic cell rate algorithm (ITU-T I.371): the state of an owner is the time at which
/// its budget is full again. An owner with a full budget has no state. So an owner cannot fill its
/// budget by new connections.
@ThreadSafe
public final class RateBudget {
  /// The owner of the events of all owners above the maximum number of owners.
  private static final Object OTHERS = new Object();

  private static final long REMOVAL_INTERVAL_NANOS = Duration.ofSeconds(1).toNanos();

  private final long intervalNanos;
  private final long burstNanos;
  private final int maxOwners;
  private final LongSupplier nanoTime;

  /// The time of the last removal.
  private final AtomicLong removedAt;

  /// The time at which the budget of an owner is full again, as a value of `nanoTime`.
  private final ConcurrentHashMap<Object, Long> fullAt = new ConcurrentHashMap<>();

  /// @param perSecond events per second, 1 or more
  /// @param burst number of events that a full budget allows at once
  /// @param maxOwners number of owners with a budget of their own; all others share one
  /// @param nanoTime the clock, as [System#nanoTime]
  public RateBudget(int perSecond, int burst, int maxOwners, LongSupplier nanoTime) {
    this.intervalNanos = Duration.ofSeconds(1).toNanos() / perSecond;
    this.burstNanos = burst * intervalNanos;
    this.maxOwners = maxOwners;
    this.nanoTime = nanoTime;
    this.removedAt = new AtomicLong(nanoTime.getAsLong() - REMOVAL_INTERVAL_NANOS);
  }

  /// Whether an owner has used up its budget.
  public boolean isExhausted(Object owner) {
    if (fullAt.isEmpty()) {
      return false;
    }
    Long full = fullAt.get(owner);
    if (full == null && fullAt.size() >= maxOwners) {
      full = fullAt.get(OTHERS);
    }
    return full != null && full - nanoTime.getAsLong() > burstNanos - intervalNanos;
  }

  /// Subtracts one event from the budget of an owner, even if it is used up.
  public void spend(Object owner) {
    long now = nanoTime.getAsLong();
    Object account = owner;
    if (!fullAt.containsKey(owner) && fullAt.size() >= maxOwners) {
      removeFull(now);
      account = fullAt.size() >= maxOwners ? OTHERS : owner;
    }
    fullAt.merge(
        account, now + intervalNanos, (full, _) -> Math.max(full - now, 0) + now + intervalNanos);
  }

  /// Removes the state of owners whose budget is full again, at most once a second: it visits all.
  private void removeFull(long now) {
    long last = removedAt.get();
    if (now - last >= REMOVAL_INTERVAL_NANOS && removedAt.compareAndSet(last, now)) {
      fullAt.values().removeIf(full -> full - now <= 0);
    }
  }

  /// Number of owners with state.
  int owners() {
    return fullAt.size();
  }
}

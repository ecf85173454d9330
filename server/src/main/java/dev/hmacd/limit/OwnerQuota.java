package dev.hmacd.limit;

import com.google.errorprone.annotations.ThreadSafe;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;

/// Limits how much of a shared resource each owner holds: at most half of it, so that one principal
/// cannot keep all others out.
///
/// An owner is a principal, compared by `equals`. The count does not depend on the owner's
/// connections. An owner that holds nothing keeps its counter until [#MAX_IDLE] counters exist:
/// most owners hold something again at once, and a new entry for each operation is slow.
@ThreadSafe
public final class OwnerQuota {
  /// Above this number of counters, those of owners that hold nothing are removed.
  private static final int MAX_IDLE = 1024;

  /// A removed counter: a negative value that no owner holds.
  private static final long REMOVED = Long.MIN_VALUE;

  private final long max;
  private final ConcurrentHashMap<Object, AtomicLong> held = new ConcurrentHashMap<>();

  /// The number of counters at which idle ones are removed.
  private volatile int removeAt = MAX_IDLE;

  private OwnerQuota(long max) {
    this.max = max;
  }

  /// A quota of half of a total.
  ///
  /// @param total maximum for all owners together; one owner may hold half of it, and at least 1
  public static OwnerQuota halfOf(long total) {
    return halfOf(total, 1);
  }

  /// As [#halfOf(long)], with another minimum.
  ///
  /// @param atLeast amount that one owner may hold in any case, but at most `total`
  public static OwnerQuota halfOf(long total, long atLeast) {
    return new OwnerQuota(Math.max(total / 2, Math.min(atLeast, total)));
  }

  /// The maximum for one owner.
  public long max() {
    return max;
  }

  /// Adds to the amount that an owner holds, unless the result exceeds the quota. If it returns
  /// true, [#release] must follow.
  ///
  /// @return whether the amount was added
  public boolean tryHold(Object owner, long amount) {
    if (hold(owner, amount) <= max) {
      return true;
    }
    release(owner, amount);
    return false;
  }

  /// Adds to the amount that an owner holds, even above the quota. [#release] must follow.
  ///
  /// @return the new amount of the owner
  public long hold(Object owner, long amount) {
    while (true) {
      AtomicLong counter = held.get(owner);
      if (counter == null) {
        removeIdle();
        counter = held.computeIfAbsent(owner, _ -> new AtomicLong());
      }
      long now = counter.get();
      while (now != REMOVED) {
        if (counter.compareAndSet(now, now + amount)) {
          return now + amount;
        }
        now = counter.get();
      }
      held.remove(owner, counter); // The thread that removes it may be slow.
    }
  }

  private void removeIdle() {
    int size = held.size();
    if (size >= removeAt) {
      held.values().removeIf(counter -> counter.compareAndSet(0, REMOVED));
      // Many owners may hold something: then the next pass comes later.
      removeAt = Math.max(MAX_IDLE, 2 * held.size());
    }
  }

  /// Number of owners with a counter.
  int counters() {
    return held.size();
  }

  /// The amount that an owner holds.
  public long held(Object owner) {
    AtomicLong counter = held.get(owner);
    return counter == null ? 0 : Math.max(0, counter.get());
  }

  /// Subtracts an amount that [#hold] or [#tryHold] has added.
  public void release(Object owner, long amount) {
    AtomicLong counter = held.get(owner);
    if (counter != null) {
      counter.addAndGet(-amount);
    }
  }
}

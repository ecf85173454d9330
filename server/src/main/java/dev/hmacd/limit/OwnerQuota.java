package dev.hmacd.limit;

import com.google.errorprone.annotations.ThreadSafe;
import java.util.Comparator;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;

/// In-flight quota of an owner in a shared resource: at most half of the resource, so that one
/// principal cannot exclude all others.
///
/// An owner is usually a principal, and is compared by `equals`. All connections of an owner share
/// one counter. The counter of an idle owner is kept until [#MAX_IDLE] counters exist: most owners
/// are active again at once, and a new counter for each operation would be slow.
@ThreadSafe
public final class OwnerQuota {
  /// Minimum number of counters at which the counters of idle owners are removed.
  private static final int MAX_IDLE = 1024;

  /// Value of a removed counter.
  private static final long REMOVED = Long.MIN_VALUE;

  private static final LargestShare NOBODY = new LargestShare("nobody", 0);

  private final long max;
  private final ConcurrentHashMap<Object, AtomicLong> held = new ConcurrentHashMap<>();

  /// The number of counters at which idle counters are removed.
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

  /// A quota of half of a total, but at least a given minimum.
  ///
  /// @param atLeast minimum of the quota; a value above `total` counts as `total`
  public static OwnerQuota halfOf(long total, long atLeast) {
    return new OwnerQuota(Math.max(total / 2, Math.min(atLeast, total)));
  }

  /// The maximum for one owner.
  public long max() {
    return max;
  }

  /// Adds to the amount that an owner holds, unless the result exceeds the quota. [#release] must
  /// follow if this method returns true.
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
  /// @return the amount that the owner holds now
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
      held.remove(owner, counter); // The marking thread may not have removed it yet.
    }
  }

  private void removeIdle() {
    int size = held.size();
    if (size >= removeAt) {
      held.values().removeIf(counter -> counter.compareAndSet(0, REMOVED));
      // With many active owners, the next removal waits for more counters.
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

  /// The owner that holds most; `nobody` if no owner holds anything. Visits all counters.
  public LargestShare largest() {
    return held.entrySet().stream()
        .map(each -> new LargestShare(each.getKey(), Math.max(0, each.getValue().get())))
        .max(Comparator.comparingLong(LargestShare::held))
        .filter(each -> each.held() > 0)
        .orElse(NOBODY);
  }

  /// Subtracts an amount that [#hold] or [#tryHold] has added.
  public void release(Object owner, long amount) {
    AtomicLong counter = held.get(owner);
    if (counter != null) {
      counter.addAndGet(-amount);
    }
  }
}

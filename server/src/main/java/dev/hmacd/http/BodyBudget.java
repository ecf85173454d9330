package dev.hmacd.http;

import com.google.errorprone.annotations.ThreadSafe;
import dev.hmacd.limit.OwnerQuota;
import java.util.concurrent.atomic.AtomicLong;

/// Limit of the bytes of request bodies, with a reserve of an eighth above the limit.
@ThreadSafe
final class BodyBudget {
  /// Owner of the bodies of all unauthenticated connections.
  static final Object NOBODY = "nobody";

  private final long max;
  private final OwnerQuota quota;
  private final AtomicLong bytes = new AtomicLong();

  /// @param maxBodyBytes maximum body of one request; the quota of a principal is at least this
  BodyBudget(long max, long maxBodyBytes) {
    this.max = max;
    this.quota = OwnerQuota.halfOf(max, maxBodyBytes);
  }

  /// Counts bytes, even above a limit. [#release] must follow in both cases.
  ///
  /// @param owner a principal, or [#NOBODY]
  /// @return whether the bytes are within the bounds of this owner and of all owners together
  boolean hold(Object owner, int count) {
    long ofOwner = quota.hold(owner, count);
    return bytes.addAndGet(count) <= max && ofOwner <= quota.max();
  }

  /// Whether the reserve of all owners together is used up: an eighth above the bound.
  boolean isReserveUsed() {
    return bytes.get() > max + max / 8;
  }

  /// Whether the reserve of this owner, or of all owners together, is used up.
  boolean isReserveUsed(Object owner) {
    return isReserveUsed() || quota.held(owner) > quota.max() + quota.max() / 8;
  }

  void release(Object owner, int count) {
    bytes.addAndGet(-count);
    quota.release(owner, count);
  }

  long bytes() {
    return bytes.get();
  }
}

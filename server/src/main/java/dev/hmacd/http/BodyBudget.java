package dev.hmacd.http;

import com.google.errorprone.annotations.ThreadSafe;
import dev.hmacd.limit.OwnerQuota;
import dev.hmacd.limit.RefusalLog;
import java.util.concurrent.atomic.AtomicLong;

/// Limit of the total size of buffered request bodies, with a reserve of one eighth above the
/// limit.
@ThreadSafe
final class BodyBudget {
  /// Owner of the request bodies of all unauthenticated connections.
  static final Object NOBODY = "nobody";

  private final long max;
  private final OwnerQuota quota;
  private final RefusalLog refusals =
      new RefusalLog("Requests refused: max_buffered_bytes reached", "owner_bytes");
  private final AtomicLong bytes = new AtomicLong();

  /// @param maxBodyBytes maximum size of one request body, in bytes; the quota of an owner is at
  ///   least this size
  BodyBudget(long max, long maxBodyBytes) {
    this.max = max;
    this.quota = OwnerQuota.halfOf(max, maxBodyBytes);
  }

  /// Counts bytes of a request body, even above a limit. [#release] must follow, whether the result
  /// is true or false.
  ///
  /// @param owner a principal, or [#NOBODY]
  /// @return whether the bytes of this owner, and the bytes of all owners together, are within
  ///   their limits
  boolean hold(Object owner, int count) {
    long ofOwner = quota.hold(owner, count);
    return bytes.addAndGet(count) <= max && ofOwner <= quota.max();
  }

  /// Whether the bodies of all owners together exceed their limit by more than an eighth.
  boolean isReserveUsed() {
    return bytes.get() > max + max / 8;
  }

  /// Whether the bodies of this owner, or of all owners together, exceed their limit by more than
  /// an eighth.
  boolean isReserveUsed(Object owner) {
    return isReserveUsed() || quota.held(owner) > quota.max() + quota.max() / 8;
  }

  void release(Object owner, int count) {
    bytes.addAndGet(-count);
    quota.release(owner, count);
  }

  /// As [#release], for bytes of a refused request.
  void refuse(Object owner, int count) {
    release(owner, count);
    refusals.refused(quota);
  }

  long bytes() {
    return bytes.get();
  }
}

package dev.hmacd.http;

import com.google.errorprone.annotations.ThreadSafe;
import dev.hmacd.limit.OwnerQuota;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;

/// Limits of the requests in flight of all connections: their number, and the bytes of their
/// bodies. Limits of each connection alone would let many connections together fill the memory.
@ThreadSafe
final class RequestBounds {
  private final int maxRequests;
  private final long maxBytes;
  private final OwnerQuota requestsOf;
  private final AtomicInteger requests = new AtomicInteger();
  private final OwnerQuota bytesOf;
  private final AtomicLong bytes = new AtomicLong();

  /// Owner of the bodies of all unauthenticated connections.
  static final Object NOBODY = "nobody";

  /// @param maxBodyBytes maximum body of one request; the quota of a principal is at least this
  RequestBounds(int maxRequests, long maxBytes, long maxBodyBytes) {
    this.maxRequests = maxRequests;
    this.maxBytes = maxBytes;
    this.requestsOf = OwnerQuota.halfOf(maxRequests);
    this.bytesOf = OwnerQuota.halfOf(maxBytes, maxBodyBytes);
  }

  /// Counts a complete request. [#left] must follow if the result is true.
  boolean enter() {
    if (requests.incrementAndGet() <= maxRequests) {
      return true;
    }
    requests.decrementAndGet();
    return false;
  }

  void left() {
    requests.decrementAndGet();
  }

  /// Counts an admitted request for its principal. [#dismiss] must follow if the result is true.
  ///
  /// @return false if the quota of the principal is used up
  boolean admit(Object principal) {
    return requestsOf.tryHold(principal, 1);
  }

  void dismiss(Object principal) {
    requestsOf.release(principal, 1);
  }

  /// Counts bytes, even above a limit. [#release] must follow in both cases.
  ///
  /// @param owner a principal, or [#NOBODY]
  /// @return whether the bytes are within the bounds of this owner and of all owners together
  boolean hold(Object owner, int count) {
    long ofOwner = bytesOf.hold(owner, count);
    return bytes.addAndGet(count) <= maxBytes && ofOwner <= bytesOf.max();
  }

  /// Whether the reserve of all owners together is used up: an eighth above the bound.
  boolean isReserveUsed() {
    return bytes.get() > maxBytes + maxBytes / 8;
  }

  /// Whether the reserve of this owner, or of all owners together, is used up.
  boolean isReserveUsed(Object owner) {
    return isReserveUsed() || bytesOf.held(owner) > bytesOf.max() + bytesOf.max() / 8;
  }

  void release(Object owner, int count) {
    bytes.addAndGet(-count);
    bytesOf.release(owner, count);
  }

  int requests() {
    return requests.get();
  }

  long bytes() {
    return bytes.get();
  }
}

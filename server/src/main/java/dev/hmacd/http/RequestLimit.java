package dev.hmacd.http;

import com.google.errorprone.annotations.ThreadSafe;
import dev.hmacd.limit.OwnerQuota;
import dev.hmacd.limit.RefusalLog;
import java.util.concurrent.atomic.AtomicInteger;

/// Limit of the number of requests in flight.
@ThreadSafe
final class RequestLimit {
  private final int max;
  private final OwnerQuota quota;
  private final RefusalLog refusals =
      new RefusalLog("Requests refused: max_requests reached", "owner_requests");
  private final AtomicInteger requests = new AtomicInteger();

  RequestLimit(int max) {
    this.max = max;
    this.quota = OwnerQuota.halfOf(max);
  }

  /// Counts a completely received request, unless the limit is reached. [#left] must follow if the
  /// result is true.
  boolean enter() {
    if (requests.incrementAndGet() <= max) {
      return true;
    }
    requests.decrementAndGet();
    refusals.refused(quota);
    return false;
  }

  void left() {
    requests.decrementAndGet();
  }

  /// Counts a request in the quota of its principal, unless the quota is used up. [#dismiss] must
  /// follow if the result is true.
  ///
  /// @return false if the quota of the principal is used up
  boolean admit(Object principal) {
    if (quota.tryHold(principal, 1)) {
      return true;
    }
    refusals.refused(quota);
    return false;
  }

  void dismiss(Object principal) {
    quota.release(principal, 1);
  }

  int requests() {
    return requests.get();
  }
}

package dev.hmacd.http;

import com.google.errorprone.annotations.ThreadSafe;

/// Limits of the requests in flight of all connections together. Limits of each connection alone
/// would let many connections together fill the memory.
@ThreadSafe
record RequestBounds(RequestLimit limit, BodyBudget bodies) {
  /// @param maxBodyBytes maximum body of one request; the quota of a principal is at least this
  RequestBounds(int maxRequests, long maxBytes, long maxBodyBytes) {
    this(new RequestLimit(maxRequests), new BodyBudget(maxBytes, maxBodyBytes));
  }

  int requests() {
    return limit.requests();
  }

  long bytes() {
    return bodies.bytes();
  }
}

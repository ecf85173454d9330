package dev.hmacd.http;

import com.google.errorprone.annotations.ThreadSafe;

/// Limits of the number and the body size of requests in flight, for all connections together. With
/// limits for each connection only, many connections together could fill the memory.
@ThreadSafe
record RequestBounds(RequestLimit limit, BodyBudget bodies) {
  /// @param maxBodyBytes maximum size of one request body, in bytes; the body quota of an owner is
  ///   at least this size
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

package dev.hmacd.awskms;

import com.google.errorprone.annotations.ThreadSafe;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;

/// How many requests there may be at once, and how many bytes of their bodies, over all
/// connections: a bound for each connection alone would let many of them together fill the memory.
@ThreadSafe
final class Room {
  private final int maxRequests;
  private final long maxBytes;
  private final AtomicInteger requests = new AtomicInteger();
  private final AtomicLong bytes = new AtomicLong();

  Room(int maxRequests, long maxBytes) {
    this.maxRequests = maxRequests;
    this.maxBytes = maxBytes;
  }

  /// Takes in a request that has come whole; [#left] must follow if there is room for it.
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

  /// Counts bytes in, which [#release] must count out; whether there is room for them.
  boolean hold(int count) {
    return bytes.addAndGet(count) <= maxBytes;
  }

  /// Whether even the eighth is used up that there is beyond the bound while others are made to go.
  boolean isReserveUsed() {
    return bytes.get() > maxBytes + maxBytes / 8;
  }

  void release(int count) {
    bytes.addAndGet(-count);
  }

  int requests() {
    return requests.get();
  }

  long bytes() {
    return bytes.get();
  }
}

package dev.hmacd.awskms;

import java.util.UUID;
import java.util.concurrent.ThreadLocalRandom;

/// Ids of requests, for callers and for log lines of unexpected errors.
final class RequestId {
  private RequestId() {}

  /// A UUID. It need not be unpredictable, so the random numbers are not cryptographically secure.
  static String random() {
    var random = ThreadLocalRandom.current();
    long high = (random.nextLong() & ~0xf000L) | 0x4000L; // Version 4, RFC 9562.
    long low = (random.nextLong() & ~(3L << 62)) | (1L << 63);
    return new UUID(high, low).toString();
  }
}

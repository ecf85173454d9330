package dev.hmacd.usecase;

import java.util.UUID;
import java.util.concurrent.ThreadLocalRandom;

/// Generator of request ids. Thread-safe.
public final class RequestIds {
  private RequestIds() {}

  /// Returns a new request id: a UUID (RFC 9562, version 4). The random numbers are not
  /// cryptographically secure: a request id is no secret.
  public static String next() {
    var random = ThreadLocalRandom.current();
    long high = (random.nextLong() & ~0xf000L) | 0x4000L;
    long low = (random.nextLong() & ~(3L << 62)) | (1L << 63);
    return new UUID(high, low).toString();
  }
}

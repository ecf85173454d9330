package dev.hmacd.token;

import com.google.errorprone.annotations.ThreadSafe;
import dev.hmacd.key.KeyObject;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;

/// Load-balancing state of a token: the number of in-flight calls, and a negative cache (10 s) of
/// missing keys.
@ThreadSafe
@SuppressWarnings("ThreadSafe") // The map is thread-safe.
final class TokenLoad {
  /// Lifetime of an entry of the negative cache.
  private static final Duration MISSING_LIFETIME = Duration.ofSeconds(10);

  private final AtomicInteger inFlight = new AtomicInteger();

  /// Negative cache of missing keys: the end of each entry's lifetime, a value of
  /// [System#nanoTime]. The cache has at most one entry for each key of the registry.
  private final Map<KeyObject, Long> missing = new ConcurrentHashMap<>();

  void begin() {
    inFlight.incrementAndGet();
  }

  void end() {
    inFlight.decrementAndGet();
  }

  void missing(KeyObject key) {
    missing.put(key, System.nanoTime() + MISSING_LIFETIME.toNanos());
  }

  void found(KeyObject key) {
    // Costs one read of a field while no key is missing.
    if (!missing.isEmpty()) {
      missing.remove(key);
    }
  }

  /// Whether a call with a key should go to this token rather than to another token.
  boolean isLessThan(TokenLoad other, KeyObject key) {
    boolean isMissing = isMissing(key);
    if (isMissing != other.isMissing(key)) {
      return !isMissing;
    }
    return inFlight.get() < other.inFlight.get();
  }

  private boolean isMissing(KeyObject key) {
    if (missing.isEmpty()) {
      return false;
    }
    Long until = missing.get(key);
    return until != null && System.nanoTime() - until < 0;
  }
}

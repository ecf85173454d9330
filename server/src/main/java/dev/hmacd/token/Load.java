package dev.hmacd.token;

import com.google.errorprone.annotations.ThreadSafe;
import dev.hmacd.key.KeyObject;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;

/// What speaks against giving a call to a token: the calls that are under way there, and the keys
/// that it was seen not to have.
@ThreadSafe
@SuppressWarnings("ThreadSafe") // The map is thread-safe.
final class Load {
  /// After which a token is asked again for a key that it did not have.
  private static final Duration REMEMBERED = Duration.ofSeconds(10);

  private final AtomicInteger underWay = new AtomicInteger();

  /// Until when, in nanoseconds. As many as there are keys that were missed, at most.
  private final Map<KeyObject, Long> missing = new ConcurrentHashMap<>();

  void begun() {
    underWay.incrementAndGet();
  }

  void ended() {
    underWay.decrementAndGet();
  }

  void missed(KeyObject key) {
    missing.put(key, System.nanoTime() + REMEMBERED.toNanos());
  }

  void found(KeyObject key) {
    // One look for all calls while nothing is missing.
    if (!missing.isEmpty()) {
      missing.remove(key);
    }
  }

  /// Whether a call for a key had better come here.
  boolean isLessThan(Load other, KeyObject key) {
    boolean misses = misses(key);
    if (misses != other.misses(key)) {
      return !misses;
    }
    return underWay.get() < other.underWay.get();
  }

  private boolean misses(KeyObject key) {
    if (missing.isEmpty()) {
      return false;
    }
    Long until = missing.get(key);
    return until != null && System.nanoTime() - until < 0;
  }
}

package dev.hmacd.token;

import com.google.errorprone.annotations.ThreadSafe;
import dev.hmacd.key.KeyObject;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/// Keys with a fault that was logged. Each key is logged once, until it is usable again.
@ThreadSafe
final class ReportedKeys {
  /// At this size the set is cleared, and faults are logged again.
  private static final int MAX = 1000;

  @SuppressWarnings("ThreadSafe") // The set is concurrent.
  private final Set<KeyObject> reported = ConcurrentHashMap.newKeySet();

  /// Adds a key with a fault.
  ///
  /// @return whether the fault is new, so that the caller logs it
  boolean add(KeyObject key) {
    if (reported.size() >= MAX) {
      reported.clear();
    }
    return reported.add(key);
  }

  /// The key is usable again. Costs one read of a field if no key has a fault.
  void remove(KeyObject key) {
    if (!reported.isEmpty()) {
      reported.remove(key);
    }
  }
}

package dev.hmacd.token;

import com.google.errorprone.annotations.ThreadSafe;
import dev.hmacd.key.KeyObject;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/// The keys whose fault is in the log already. A fault of a key is logged once, until the key is
/// usable again.
@ThreadSafe
final class LoggedKeyFaults {
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

  /// Removes a key that is usable again. Costs one read of a field if no key has a fault.
  void remove(KeyObject key) {
    if (!reported.isEmpty()) {
      reported.remove(key);
    }
  }
}

package dev.hmacd.token;

import com.google.errorprone.annotations.ThreadSafe;
import dev.hmacd.key.KeyObject;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/// The keys whose current fault is already in the log. A fault of a key is logged once, and again
/// only after the key was usable.
@ThreadSafe
final class LoggedKeyFaults {
  /// Maximum number of recorded keys. At this number, the set is cleared, and faults are logged
  /// again.
  private static final int MAX = 1000;

  @SuppressWarnings("ThreadSafe") // The set is concurrent.
  private final Set<KeyObject> reported = ConcurrentHashMap.newKeySet();

  /// Adds a key with a fault.
  ///
  /// @return true if the fault is new: the caller then logs it
  boolean add(KeyObject key) {
    if (reported.size() >= MAX) {
      reported.clear();
    }
    return reported.add(key);
  }

  /// Removes a key that is usable again, so that its next fault is logged. Only reads one field if
  /// no key has a fault.
  void remove(KeyObject key) {
    if (!reported.isEmpty()) {
      reported.remove(key);
    }
  }
}

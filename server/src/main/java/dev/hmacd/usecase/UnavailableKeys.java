package dev.hmacd.usecase;

import com.google.errorprone.annotations.ThreadSafe;
import dev.hmacd.key.Key;
import dev.hmacd.key.KeyId;
import dev.hmacd.key.KeyState;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/// Set of the keys that were not usable on the token at their last use ([KeyState#UNAVAILABLE]).
@ThreadSafe
@SuppressWarnings("ThreadSafe") // The set is thread-safe.
public final class UnavailableKeys {
  private final Set<KeyId> unavailable = ConcurrentHashMap.newKeySet();

  void markAvailable(KeyId key) {
    // While the set is empty, the check costs one read of a field.
    if (!unavailable.isEmpty()) {
      unavailable.remove(key);
    }
  }

  void markUnavailable(KeyId key) {
    unavailable.add(key);
  }

  /// Returns the key in the state that callers see: `UNAVAILABLE` if the key is enabled and in this
  /// set.
  Key inReportedState(Key key) {
    return key.state() == KeyState.ENABLED && unavailable.contains(key.id())
        ? key.in(KeyState.UNAVAILABLE)
        : key;
  }
}

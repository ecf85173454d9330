package dev.hmacd.mac;

import com.google.errorprone.annotations.ThreadSafe;
import dev.hmacd.key.KeyEntry;
import dev.hmacd.key.KeyId;
import dev.hmacd.key.KeyState;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/// Remembers which keys the token did not have, or had otherwise, when they were last used.
@ThreadSafe
@SuppressWarnings("ThreadSafe") // The set is thread-safe.
public final class Availability {
  private final Set<KeyId> missing = ConcurrentHashMap.newKeySet();

  void seen(KeyId key) {
    // One look for all calls while nothing is missing.
    if (!missing.isEmpty()) {
      missing.remove(key);
    }
  }

  void missed(KeyId key) {
    missing.add(key);
  }

  /// The key in the state that callers are told of.
  KeyEntry told(KeyEntry key) {
    return key.state() == KeyState.ENABLED && missing.contains(key.id())
        ? key.in(KeyState.UNAVAILABLE)
        : key;
  }
}

package dev.hmacd.token;

import com.google.errorprone.annotations.ThreadSafe;
import java.util.concurrent.atomic.AtomicReference;

/// The type of new keys of a token: the setting, or for `AUTO` the type that a new key has shown.
@ThreadSafe
@SuppressWarnings("ThreadSafe") // AtomicReference is thread-safe.
final class NewKeyType {
  private final KeyTypeSetting setting;
  private final AtomicReference<KeyTypeSetting> current;

  NewKeyType(KeyTypeSetting setting) {
    this.setting = setting;
    current = new AtomicReference<>(setting);
  }

  /// The type of the next key; `AUTO` until a key has shown it.
  KeyTypeSetting get() {
    return current.get();
  }

  /// Records the type that a new key has shown, if it was unknown.
  ///
  /// @return whether the type was unknown
  boolean detected(KeyTypeSetting shown) {
    return current.compareAndSet(KeyTypeSetting.AUTO, shown);
  }

  /// Forgets that the token refused a generic secret, at a login. A refusal can be temporary. A
  /// generic secret that gave a MAC is a proof, which stays.
  void loggedIn() {
    boolean _ = current.compareAndSet(KeyTypeSetting.HMAC, setting);
  }
}

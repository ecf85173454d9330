package dev.hmacd.client.testing;

import com.google.errorprone.annotations.ThreadSafe;
import dev.hmacd.client.ErrorReason;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/// The keys of a test, by the name that the client gives.
@ThreadSafe
final class FakeKeys {
  private final Map<String, FakeKey> keys = new ConcurrentHashMap<>();

  void put(String name, FakeKey key) {
    keys.put(name, key);
  }

  /// @throws io.grpc.StatusRuntimeException if there is no such key
  FakeKey get(String name) {
    FakeKey key = keys.get(name);
    if (key == null) {
      throw DaemonError.of(ErrorReason.KEY_NOT_FOUND, Map.of("key_id", name)).exception();
    }
    return key;
  }
}

package dev.hmacd.registry;

import dev.hmacd.key.DaemonKey;
import dev.hmacd.key.KeyObject;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;

/// Registry of the daemon's own keys, which requests of callers cannot use. Thread-safe.
public final class DaemonKeyRegistry {
  private final RegistryStore store;

  DaemonKeyRegistry(RegistryStore store) {
    this.store = store;
  }

  /// Finds the daemon's own key for a purpose on a token.
  public CompletableFuture<Optional<DaemonKey>> find(
      String tokenSerial, DaemonKey.Purpose purpose) {
    return store.daemonRead(
        db ->
            db
                .query(
                    "SELECT object_label, object_id, known_answer FROM own_keys"
                        + " WHERE token_serial = ? AND purpose = ?",
                    row ->
                        new DaemonKey(
                            purpose,
                            new KeyObject(
                                row.getString("object_label"), row.getString("object_id")),
                            row.getString("known_answer")),
                    tokenSerial,
                    purpose.name())
                .stream()
                .findFirst());
  }

  /// Lists the serial numbers of all tokens on which an own key of the daemon is recorded for a
  /// purpose.
  public CompletableFuture<List<String>> tokenSerials(DaemonKey.Purpose purpose) {
    return store.daemonRead(
        db ->
            db.query(
                "SELECT token_serial FROM own_keys WHERE purpose = ? ORDER BY token_serial",
                row -> row.getString("token_serial"),
                purpose.name()));
  }

  /// Whether the registry is new: it has no own key of the daemon on any token. `hmacd init` and
  /// `hmacd dev` store the daemon's own keys before all other keys.
  public CompletableFuture<Boolean> isEmpty() {
    return store.daemonRead(
        db -> db.query("SELECT count(*) FROM own_keys", row -> row.getLong(1)).getFirst() == 0);
  }

  /// Deletes one of the daemon's own keys from the registry, but not the key's object from the
  /// token.
  public CompletableFuture<Boolean> forget(String tokenSerial, DaemonKey.Purpose purpose) {
    return store.daemonChange(
        change -> {
          change.update(
              change.ownKeys(tokenSerial),
              "DELETE FROM own_keys WHERE token_serial = ? AND purpose = ?",
              tokenSerial,
              purpose.name());
          return true;
        });
  }

  /// Stores one of the daemon's own keys. Replaces an earlier key of the same token and purpose.
  public CompletableFuture<DaemonKey> put(String tokenSerial, DaemonKey key) {
    return store.daemonChange(
        change -> {
          change.update(
              change.ownKeys(tokenSerial),
              "DELETE FROM own_keys WHERE token_serial = ? AND purpose = ?",
              tokenSerial,
              key.purpose().name());
          change.update(
              change.ownKeys(tokenSerial),
              "INSERT INTO own_keys (token_serial, purpose, object_label, object_id, known_answer)"
                  + " VALUES (?, ?, ?, ?, ?)",
              tokenSerial,
              key.purpose().name(),
              key.object().label(),
              key.object().idHex(),
              key.knownAnswerHex());
          return key;
        });
  }
}

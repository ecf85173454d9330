package dev.hmacd.key;

import java.util.Optional;
import java.util.concurrent.CompletableFuture;

/// Remembers the daemon's own keys, which nobody can name. Thread-safe.
public final class OwnKeys {
  private final RegistryStore store;

  public OwnKeys(RegistryStore store) {
    this.store = store;
  }

  /// The daemon's own key for a purpose on a token.
  public CompletableFuture<Optional<OwnKey>> find(String tokenSerial, OwnKey.Purpose purpose) {
    return store.read(
        db ->
            db
                .query(
                    "SELECT * FROM own_keys WHERE token_serial = ? AND purpose = ?",
                    row ->
                        new OwnKey(
                            purpose,
                            new KeyObject(
                                row.getString("object_label"), row.getString("object_id")),
                            row.getString("known_answer")),
                    tokenSerial,
                    purpose.name())
                .stream()
                .findFirst());
  }

  /// Remembers a key of the daemon's own, in place of the one before.
  public CompletableFuture<OwnKey> put(String tokenSerial, OwnKey key) {
    return store.change(
        db -> {
          db.update(
              "DELETE FROM own_keys WHERE token_serial = ? AND purpose = ?",
              tokenSerial,
              key.purpose().name());
          db.update(
              "INSERT INTO own_keys VALUES (?, ?, ?, ?, ?)",
              tokenSerial,
              key.purpose().name(),
              key.object().label(),
              key.object().idHex(),
              key.knownAnswerHex());
          return () -> key;
        });
  }
}

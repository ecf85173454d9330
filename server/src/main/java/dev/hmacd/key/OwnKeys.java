package dev.hmacd.key;

import java.util.List;
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

  /// The tokens that are known to have a key for a purpose.
  public CompletableFuture<List<String>> tokenSerials(OwnKey.Purpose purpose) {
    return store.read(
        db ->
            db.query(
                "SELECT token_serial FROM own_keys WHERE purpose = ? ORDER BY token_serial",
                row -> row.getString(1),
                purpose.name()));
  }

  /// Forgets a key of the daemon's own; on its token it stays.
  public CompletableFuture<Boolean> forget(String tokenSerial, OwnKey.Purpose purpose) {
    return store.change(
        db -> {
          db.update(
              "DELETE FROM own_keys WHERE token_serial = ? AND purpose = ?",
              tokenSerial,
              purpose.name());
          return () -> true;
        });
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

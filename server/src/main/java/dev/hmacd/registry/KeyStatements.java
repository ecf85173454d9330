package dev.hmacd.registry;

import dev.hmacd.key.Key;
import dev.hmacd.key.KeyAttributes;
import dev.hmacd.key.KeyCheckValue;
import dev.hmacd.key.KeyId;
import dev.hmacd.key.KeyObject;
import dev.hmacd.key.KeyState;
import dev.hmacd.registry.RegistryException.Kind;
import java.sql.SQLException;
import java.util.List;

/// SQL statements that write the rows of a key: `keys`, `key_versions` and `key_copies`.
final class KeyStatements {
  private KeyStatements() {}

  /// Inserts all rows of a new key, without tags and aliases.
  ///
  /// @param owner id of the process that creates the key; stored only for a key in state `CREATING`
  static void insert(Change change, Key key, String owner) throws SQLException {
    boolean creating = key.state() == KeyState.CREATING;
    change.update(
        change.key(key.id()),
        "INSERT INTO keys (key_id, spec, state, origin, created_ms, description, version,"
            + " creating_owner, creating_attempt) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        key.id().value(),
        key.spec().name(),
        key.state().name(),
        key.origin().name(),
        key.created().toEpochMilli(),
        key.description(),
        key.currentVersion().number(),
        creating ? owner : null,
        creating ? 1 : null);
    change.update(
        change.key(key.id()),
        "INSERT INTO key_versions"
            + " (key_id, version, token_serial, object_label, object_id, attributes_read)"
            + " VALUES (?, ?, ?, ?, ?, FALSE)",
        key.id().value(),
        key.currentVersion().number(),
        key.tokenSerial(),
        key.object().label(),
        key.object().idHex());
    KeyAttributes read = key.attributes();
    if (read != null) {
      putAttributes(change, key, read);
    }
    for (String serial : key.otherTokenSerials()) {
      insertCopy(change, key, serial);
    }
  }

  /// Changes the state of a key to a state other than `CREATING`, and clears the id of its creating
  /// process.
  ///
  /// @param key the key in its current state
  static void setState(Change change, Key key, String state) throws SQLException {
    requireChanged(
        change.update(
            change.key(key.id()),
            "UPDATE keys SET state = ?, creating_owner = NULL, creating_attempt = NULL"
                + " WHERE key_id = ? AND state = ?",
            state,
            key.id().value(),
            key.state().name()));
  }

  /// Checks that a conditional statement has changed the row of a key.
  ///
  /// @param rows number of changed rows
  /// @throws RegistryException `REFUSED` if the statement's condition did not hold
  static void requireChanged(int rows) {
    if (rows != 1) {
      throw RegistryException.refused();
    }
  }

  /// Stores the attributes and the check value of a key's current version.
  static void putAttributes(Change change, Key key, KeyAttributes read) throws SQLException {
    KeyCheckValue check = key.check();
    change.update(
        change.key(key.id()),
        "UPDATE key_versions SET attributes_read = TRUE, sensitive = ?, extractable = ?, sign = ?,"
            + " always_sensitive = ?, never_extractable = ?, local = ?, key_bytes = ?,"
            + " check_value = ? WHERE key_id = ? AND version = ?",
        read.sensitive(),
        read.extractable(),
        read.sign(),
        read.alwaysSensitive(),
        read.neverExtractable(),
        read.local(),
        read.keyBytes(),
        check == null ? null : check.macHex(),
        key.id().value(),
        key.currentVersion().number());
  }

  /// Checks that an object on a token belongs to no key of the registry.
  ///
  /// @throws RegistryException `OBJECT_TAKEN` if the object belongs to a key
  static void requireFree(Change change, String serial, KeyObject object) throws SQLException {
    List<Integer> taken =
        change.query(
            "SELECT 1 FROM key_versions WHERE object_label = ? AND object_id = ?"
                + " AND (token_serial = ? OR EXISTS (SELECT 1 FROM key_copies"
                + " WHERE key_copies.key_id = key_versions.key_id"
                + " AND key_copies.version = key_versions.version"
                + " AND key_copies.token_serial = ?))",
            row -> row.getInt(1),
            object.label(),
            object.idHex(),
            serial,
            serial);
    if (!taken.isEmpty()) {
      throw new RegistryException(
          Kind.OBJECT_TAKEN, "the object on the token belongs to a key in the registry already");
    }
  }

  static void insertCopy(Change change, Key key, String serial) throws SQLException {
    change.update(
        change.key(key.id()),
        "INSERT INTO key_copies (key_id, version, token_serial) VALUES (?, ?, ?)",
        key.id().value(),
        key.currentVersion().number(),
        serial);
  }

  static void deleteCopy(Change change, Key key, String serial) throws SQLException {
    change.update(
        change.key(key.id()),
        "DELETE FROM key_copies WHERE key_id = ? AND version = ? AND token_serial = ?",
        key.id().value(),
        key.currentVersion().number(),
        serial);
  }

  /// Deletes all rows of a key if the key has the given state.
  ///
  /// @return whether the key had the given state
  static boolean delete(Change change, KeyId id, String state) throws SQLException {
    for (String part : List.of("key_copies", "key_versions", "tags")) {
      change.update(
          change.key(id),
          "DELETE FROM "
              + part
              + " WHERE key_id IN (SELECT key_id FROM keys WHERE key_id = ? AND state = ?)",
          id.value(),
          state);
    }
    return change.update(
            change.key(id), "DELETE FROM keys WHERE key_id = ? AND state = ?", id.value(), state)
        > 0;
  }
}

package dev.hmacd.registry;

import dev.hmacd.key.Alias;
import dev.hmacd.key.AliasEntry;
import dev.hmacd.key.Key;
import dev.hmacd.key.KeyAttributes;
import dev.hmacd.key.KeyCheckValue;
import dev.hmacd.key.KeyId;
import dev.hmacd.key.KeyObject;
import dev.hmacd.key.KeyOrigin;
import dev.hmacd.key.KeySpec;
import dev.hmacd.key.KeyState;
import dev.hmacd.key.KeyVersion;
import dev.hmacd.key.Placement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// Maps rows of the database to [Key] and [AliasEntry].
final class KeyRowReader {
  /// State of a condemned key in the database: the deletion of the key is due and final. [KeyState]
  /// has no such state.
  static final String CONDEMNED = "CONDEMNED";

  private static final String KEY_COLUMNS =
      "key_id, spec, state, origin, created_ms, description, version, deletion_ms,"
          + " token_serial, object_label, object_id, attributes_read, sensitive, extractable, sign,"
          + " always_sensitive, never_extractable, local, key_bytes, check_value";

  private static final String FROM_KEYS = " FROM keys JOIN key_versions USING (key_id, version)";

  /// The query whose rows [#alias] reads.
  static final String SELECT_ALIASES = "SELECT name, key_id, created_ms, updated_ms FROM aliases";

  private KeyRowReader() {}

  /// Reads all keys except the condemned keys, with their aliases.
  static List<Key> all(Database db) throws SQLException {
    return keys(db, aliases(db), "state <> ?", CONDEMNED);
  }

  /// Reads the condemned keys, as keys in state [KeyState#PENDING_DELETION]. Condemned keys have no
  /// aliases.
  static List<Key> condemned(Database db) throws SQLException {
    return keys(db, Map.of(), "state = ?", CONDEMNED);
  }

  private static List<Key> keys(
      Database db, Map<String, Set<Alias>> aliases, String condition, String state)
      throws SQLException {
    Map<String, List<String>> copies = copies(db);
    return db.query(
        "SELECT " + KEY_COLUMNS + FROM_KEYS + " WHERE " + condition,
        row -> {
          String id = row.getString("key_id");
          return key(row, copies, aliases.getOrDefault(id, Set.of()));
        },
        state);
  }

  /// Reads the keys in state `CREATING`, which have no aliases.
  static List<CreatingKey> creating(Database db) throws SQLException {
    Map<String, List<String>> copies = copies(db);
    return db.query(
        "SELECT "
            + KEY_COLUMNS
            + ", creating_owner, creating_attempt"
            + FROM_KEYS
            // The state is a literal: with a parameter, SQLite does not use the partial index.
            + " WHERE state = 'CREATING'",
        row ->
            new CreatingKey(
                key(row, copies, Set.of()),
                row.getString("creating_owner"),
                row.getInt("creating_attempt")));
  }

  /// Reads the aliases of all keys, by key id.
  private static Map<String, Set<Alias>> aliases(Database db) throws SQLException {
    Map<String, Set<Alias>> aliases = new HashMap<>();
    for (AliasEntry entry : db.query(SELECT_ALIASES, KeyRowReader::alias)) {
      aliases.computeIfAbsent(entry.target().value(), _ -> new HashSet<>()).add(entry.alias());
    }
    return aliases;
  }

  /// Reads the serial numbers of the other tokens that hold a key's current version, by key id.
  private static Map<String, List<String>> copies(Database db) throws SQLException {
    Map<String, List<String>> copies = new HashMap<>();
    var _ =
        db.query(
            "SELECT key_id, token_serial FROM key_copies JOIN keys USING (key_id, version)"
                + " ORDER BY token_serial",
            row ->
                copies
                    .computeIfAbsent(row.getString("key_id"), _ -> new ArrayList<>())
                    .add(row.getString("token_serial")));
    return copies;
  }

  /// Reads the alias in a row of [#SELECT_ALIASES].
  static AliasEntry alias(ResultSet row) throws SQLException {
    return new AliasEntry(
        new Alias(row.getString("name")),
        new KeyId(row.getString("key_id")),
        Instant.ofEpochMilli(row.getLong("created_ms")),
        Instant.ofEpochMilli(row.getLong("updated_ms")));
  }

  private static Key key(ResultSet row, Map<String, List<String>> copies, Set<Alias> aliases)
      throws SQLException {
    KeyId id = new KeyId(row.getString("key_id"));
    KeySpec spec = KeySpec.valueOf(row.getString("spec"));
    int version = row.getInt("version");
    var key =
        new Key(
            id,
            spec,
            state(row),
            KeyOrigin.valueOf(row.getString("origin")),
            Instant.ofEpochMilli(row.getLong("created_ms")),
            row.getString("description"),
            instant(row, "deletion_ms"),
            new KeyVersion(
                version,
                new Placement(
                    new KeyObject(row.getString("object_label"), row.getString("object_id")),
                    List.of(row.getString("token_serial"))),
                attributes(row),
                check(row, id, version, spec)),
            aliases);
    List<String> others = copies.get(id.value());
    return others == null ? key : key.alsoOn(others);
  }

  private static KeyState state(ResultSet row) throws SQLException {
    String state = row.getString("state");
    return state.equals(CONDEMNED) ? KeyState.PENDING_DELETION : KeyState.valueOf(state);
  }

  private static @Nullable KeyAttributes attributes(ResultSet row) throws SQLException {
    if (!row.getBoolean("attributes_read")) {
      return null;
    }
    return new KeyAttributes(
        flag(row, "sensitive"),
        flag(row, "extractable"),
        flag(row, "sign"),
        flag(row, "always_sensitive"),
        flag(row, "never_extractable"),
        flag(row, "local"),
        number(row, "key_bytes"));
  }

  private static @Nullable KeyCheckValue check(ResultSet row, KeyId id, int version, KeySpec spec)
      throws SQLException {
    String macHex = row.getString("check_value");
    return macHex == null
        ? null
        : KeyCheckValue.of(id, version, spec.algorithm(), HexFormat.of().parseHex(macHex));
  }

  private static @Nullable Instant instant(ResultSet row, String column) throws SQLException {
    long value = row.getLong(column);
    return row.wasNull() ? null : Instant.ofEpochMilli(value);
  }

  private static @Nullable Boolean flag(ResultSet row, String column) throws SQLException {
    boolean value = row.getBoolean(column);
    return row.wasNull() ? null : value;
  }

  private static @Nullable Integer number(ResultSet row, String column) throws SQLException {
    int value = row.getInt(column);
    return row.wasNull() ? null : value;
  }
}

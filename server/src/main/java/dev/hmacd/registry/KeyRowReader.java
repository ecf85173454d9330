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
import dev.hmacd.registry.RegistryException.Kind;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.function.Predicate;
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

  /// The query whose rows [#alias] reads.
  static final String SELECT_ALIASES = "SELECT name, key_id, created_ms, updated_ms FROM aliases";

  private KeyRowReader() {}

  /// Reads keys by id, with their aliases. Does not find condemned keys.
  ///
  /// @param ids up to [KeyLists#MAX_PAGE] ids
  static List<Key> find(Queries db, Collection<KeyId> ids) throws SQLException {
    return ids.isEmpty()
        ? List.of()
        : keys(db, in(ids), "state <> 'CONDEMNED'", ids.stream().map(KeyId::value).toArray());
  }

  /// Reads a key by id, with its aliases.
  ///
  /// @return empty if no key has the id, or the key is condemned
  static Optional<Key> find(Queries db, KeyId id) throws SQLException {
    return find(db, List.of(id)).stream().findFirst();
  }

  /// Reads a key by id, for a change.
  ///
  /// @throws RegistryException `KEY_NOT_FOUND` if no key has the id
  static Key require(Queries db, KeyId id) throws SQLException {
    return find(db, id)
        .orElseThrow(
            () -> new RegistryException(Kind.KEY_NOT_FOUND, "the key " + id + " does not exist"));
  }

  /// Reads a key by id, and checks whether its current state allows a change.
  ///
  /// @throws RegistryException `KEY_NOT_FOUND` if no key has the id, `REFUSED` if the state does
  ///   not allow the change
  static Key require(Queries db, KeyId id, Predicate<Key> allowed) throws SQLException {
    Key key = require(db, id);
    if (!allowed.test(key)) {
      throw RegistryException.refused(key);
    }
    return key;
  }

  /// Reads the keys whose ids are greater than `after`, ordered by id. Does not find condemned
  /// keys.
  static List<Key> page(Queries db, String after, int limit) throws SQLException {
    List<KeyId> ids =
        db.query(
            "SELECT key_id FROM keys WHERE key_id > ? AND state <> 'CONDEMNED'"
                + " ORDER BY key_id LIMIT ?",
            KeyRowReader::id,
            after,
            limit);
    return find(db, ids);
  }

  /// Reads the condemned keys, as keys in state [KeyState#PENDING_DELETION]. Condemned keys have no
  /// aliases.
  static List<Key> condemned(Queries db) throws SQLException {
    // States are literals: with a parameter, SQLite does not use the partial indexes.
    return keys(db, " IN (SELECT key_id FROM keys WHERE state = 'CONDEMNED')", "TRUE");
  }

  /// Reads the keys in state `CREATING`, which have no aliases.
  static List<CreatingKey> creating(Queries db) throws SQLException {
    record Owner(@Nullable String process, int attempt) {}
    Map<KeyId, Owner> owners = new HashMap<>();
    var _ =
        db.query(
            "SELECT key_id, creating_owner, creating_attempt FROM keys WHERE state = 'CREATING'",
            row ->
                owners.put(
                    id(row),
                    new Owner(row.getString("creating_owner"), row.getInt("creating_attempt"))));
    List<CreatingKey> creating = new ArrayList<>();
    for (Key key :
        keys(db, " IN (SELECT key_id FROM keys WHERE state = 'CREATING')", "state = 'CREATING'")) {
      Owner owner = Objects.requireNonNull(owners.get(key.id()));
      creating.add(new CreatingKey(key, owner.process(), owner.attempt()));
    }
    return creating;
  }

  private static KeyId id(ResultSet row) throws SQLException {
    return new KeyId(row.getString("key_id"));
  }

  /// The condition that a column is one of several values, with a placeholder for each.
  private static String in(Collection<?> values) {
    return " IN (" + String.join(", ", Collections.nCopies(values.size(), "?")) + ")";
  }

  /// Reads keys, ordered by id.
  ///
  /// @param isGiven condition for their ids, with the placeholders of `ids`
  /// @param condition one more condition for the rows of `keys`
  private static List<Key> keys(
      Queries db, String isGiven, String condition, @Nullable Object... ids) throws SQLException {
    Map<String, Set<Alias>> aliases = aliases(db, isGiven, ids);
    Map<String, List<String>> copies = copies(db, isGiven, ids);
    return db.query(
        "SELECT "
            + KEY_COLUMNS
            + " FROM keys JOIN key_versions USING (key_id, version) WHERE key_id"
            + isGiven
            + " AND "
            + condition
            + " ORDER BY key_id",
        row -> {
          String id = row.getString("key_id");
          return key(row, copies, aliases.getOrDefault(id, Set.of()));
        },
        ids);
  }

  /// Reads the aliases of keys, by key id.
  private static Map<String, Set<Alias>> aliases(Queries db, String isGiven, @Nullable Object[] ids)
      throws SQLException {
    Map<String, Set<Alias>> aliases = new HashMap<>();
    for (AliasEntry entry :
        db.query(SELECT_ALIASES + " WHERE key_id" + isGiven, KeyRowReader::alias, ids)) {
      aliases.computeIfAbsent(entry.target().value(), _ -> new HashSet<>()).add(entry.alias());
    }
    return aliases;
  }

  /// Reads the serial numbers of the other tokens that hold the current versions of keys, by key
  /// id.
  private static Map<String, List<String>> copies(
      Queries db, String isGiven, @Nullable Object[] ids) throws SQLException {
    Map<String, List<String>> copies = new HashMap<>();
    var _ =
        db.query(
            "SELECT key_id, token_serial FROM key_copies JOIN keys USING (key_id, version)"
                + " WHERE key_id"
                + isGiven
                + " ORDER BY token_serial",
            row ->
                copies
                    .computeIfAbsent(row.getString("key_id"), _ -> new ArrayList<>())
                    .add(row.getString("token_serial")),
            ids);
    return copies;
  }

  /// Reads the targets of aliases.
  ///
  /// @param names up to [EntryLoads#BATCH] names
  static List<AliasEntry> aliases(Queries db, Collection<String> names) throws SQLException {
    if (names.isEmpty()) {
      return List.of();
    }
    return db.query(
        SELECT_ALIASES + " WHERE name" + in(names), KeyRowReader::alias, names.toArray());
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

package dev.hmacd.registry;

import dev.hmacd.key.AccessKey;
import dev.hmacd.key.AliasEntry;
import dev.hmacd.key.Key;
import dev.hmacd.key.KeyId;
import dev.hmacd.registry.cache.EntryName;
import dev.hmacd.registry.cache.EntryName.Kind;
import dev.hmacd.registry.cache.EntrySource.Snapshot;
import dev.hmacd.registry.cache.EntrySource.Value;
import dev.hmacd.registry.cache.Position;
import java.sql.SQLException;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/// Reads the content of cache entries from the database.
final class EntryRows {
  /// Memory of a key without its texts, in bytes: its object, version, placement, attributes, check
  /// value and dates.
  private static final int KEY_BYTES = 900;

  /// Memory of an alias of a key without its name.
  private static final int ALIAS_BYTES = 120;

  private static final int KEY_ID_BYTES = 120;
  private static final int ACCESS_KEY_BYTES = 200;

  private EntryRows() {}

  /// Reads entries, and the changes since a position, in the transaction of the database. With an
  /// alias, reads its key, too: the reader needs both.
  ///
  /// @param names entries of one account
  static Snapshot read(Queries db, List<EntryName> names, Position since) throws SQLException {
    Map<EntryName, Value> values = new HashMap<>();
    String account = names.getFirst().account();
    Set<KeyId> keys = new LinkedHashSet<>();
    ids(names, Kind.KEY).forEach(id -> keys.add(new KeyId(id)));
    for (AliasEntry alias : KeyRowReader.aliases(db, ids(names, Kind.ALIAS))) {
      keys.add(alias.target());
      String name = alias.alias().name();
      values.put(
          new EntryName(Kind.ALIAS, account, name),
          new Value(alias.target(), KEY_ID_BYTES + text(name)));
    }
    for (Key key : KeyRowReader.find(db, keys)) {
      values.put(new EntryName(Kind.KEY, account, key.id().value()), new Value(key, bytes(key)));
    }
    for (AccessKey key : AccessKeyRegistry.read(db, ids(names, Kind.ACCESS_KEY))) {
      values.put(
          new EntryName(Kind.ACCESS_KEY, account, key.id()),
          new Value(key, ACCESS_KEY_BYTES + text(key.id()) + text(key.principal())));
    }
    return new Snapshot(ChangeLog.newest(db), ChangeLog.changedSince(db, since), values);
  }

  private static List<String> ids(List<EntryName> names, Kind kind) {
    return names.stream().filter(name -> name.kind() == kind).map(EntryName::id).toList();
  }

  private static int bytes(Key key) {
    int bytes = KEY_BYTES + text(key.description()) + text(key.object().label());
    for (String serial : key.tokenSerials()) {
      bytes += text(serial);
    }
    for (var alias : key.aliases()) {
      bytes += ALIAS_BYTES + text(alias.name());
    }
    return bytes;
  }

  /// Memory of a text, at two bytes a character.
  private static int text(String text) {
    return 56 + 2 * text.length();
  }
}

package dev.hmacd.registry;

import dev.hmacd.key.Key;
import dev.hmacd.key.KeyId;
import dev.hmacd.key.Tag;
import dev.hmacd.registry.RegistryException.Kind;
import java.sql.SQLException;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.function.Predicate;

/// Changes of tags in the SQLite database, for [SqliteKeyWriter]. Tags are in the database only.
final class SqliteTags {
  private final RegistryStore store;

  SqliteTags(RegistryStore store) {
    this.store = store;
  }

  CompletableFuture<KeyId> add(KeyId id, Predicate<Key> allowed, List<Tag> tags) {
    return store.change(
        change -> {
          put(change, KeyRowReader.require(change, id, allowed), tags);
          int count =
              change
                  .query(
                      "SELECT count(*) FROM tags WHERE key_id = ?",
                      row -> row.getInt(1),
                      id.value())
                  .getFirst();
          if (count > Tag.MAX_PER_KEY) {
            throw new RegistryException(
                Kind.TOO_MANY_TAGS, "tag limit reached (" + Tag.MAX_PER_KEY + " per key)");
          }
          return id;
        });
  }

  CompletableFuture<KeyId> remove(KeyId id, Predicate<Key> allowed, List<String> tagKeys) {
    return store.change(
        change -> {
          Key key = KeyRowReader.require(change, id, allowed);
          for (String tagKey : tagKeys) {
            change.update(
                change.key(id),
                "DELETE FROM tags WHERE tag_key = ?"
                    + " AND key_id IN (SELECT key_id FROM keys WHERE key_id = ? AND state = ?)",
                tagKey,
                id.value(),
                key.state().name());
          }
          return id;
        });
  }

  /// Adds tags to a key, without a check of the quota.
  ///
  /// @param key the key in its current state
  static void put(Change change, Key key, List<Tag> tags) throws SQLException {
    for (Tag tag : tags) {
      KeyStatements.requireChanged(
          change.update(
              change.key(key.id()),
              "INSERT INTO tags (key_id, tag_key, tag_value, position) SELECT key_id, ?, ?,"
                  + " (SELECT coalesce(max(position), 0) + 1 FROM tags"
                  + " WHERE tags.key_id = keys.key_id)"
                  + " FROM keys WHERE key_id = ? AND state = ?"
                  + " ON CONFLICT (key_id, tag_key) DO UPDATE SET tag_value = excluded.tag_value",
              tag.key(),
              tag.value(),
              key.id().value(),
              key.state().name()));
    }
  }
}

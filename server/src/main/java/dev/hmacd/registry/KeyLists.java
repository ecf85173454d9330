package dev.hmacd.registry;

import dev.hmacd.key.AliasEntry;
import dev.hmacd.key.Key;
import dev.hmacd.key.KeyId;
import dev.hmacd.key.Tag;
import dev.hmacd.limit.Owner;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/// Lists of keys, aliases and tags. Thread-safe.
///
/// A method that returns a future reads the database on the thread of [RegistryStore]. The future
/// fails with a [RegistryException].
public final class KeyLists {
  /// Maximum number of keys in [#page].
  public static final int MAX_PAGE = 1000;

  private final RegistryStore store;

  KeyLists(RegistryStore store) {
    this.store = store;
  }

  /// Starts work within the owner's quota of registry operations, as [KeyWriter#forOwner].
  public <T> CompletableFuture<T> forOwner(Owner owner, Supplier<CompletableFuture<T>> work) {
    return store.forOwner(owner, work);
  }

  /// Reads the keys whose ids are greater than `after` (empty: all), ordered by id, without the
  /// condemned keys.
  ///
  /// @param limit maximum number of keys, 1 to [#MAX_PAGE]
  public CompletableFuture<List<Key>> page(String after, int limit) {
    return store.daemonRead(db -> KeyRowReader.page(db, after, limit));
  }

  /// Lists the keys in state `CREATING`.
  public CompletableFuture<List<CreatingKey>> creating() {
    return store.daemonRead(KeyRowReader::creating);
  }

  /// Lists the condemned keys, whose deletion is due and final. The objects of condemned keys may
  /// still be on a token.
  public CompletableFuture<List<Key>> condemned() {
    return store.daemonRead(KeyRowReader::condemned);
  }

  /// Lists the key ids that are greater than `after` (empty: all), in order.
  public CompletableFuture<List<KeyId>> listKeys(String after, int limit) {
    return store.read(
        db ->
            db.query(
                "SELECT key_id FROM keys WHERE key_id > ? AND state <> ? ORDER BY key_id LIMIT ?",
                row -> new KeyId(row.getString("key_id")),
                after,
                KeyRowReader.CONDEMNED,
                limit));
  }

  /// Lists the aliases whose names are greater than `after` (empty: all), ordered by name.
  ///
  /// @param target the key whose aliases are listed; empty for all aliases
  public CompletableFuture<List<AliasEntry>> listAliases(
      Optional<KeyId> target, String after, int limit) {
    return store.read(
        db -> {
          String where = target.isPresent() ? " WHERE key_id = ? AND" : " WHERE";
          List<@Nullable Object> arguments = new ArrayList<>();
          target.ifPresent(id -> arguments.add(id.value()));
          arguments.add(after);
          arguments.add(limit);
          return db.query(
              KeyRowReader.SELECT_ALIASES + where + " name > ? ORDER BY name LIMIT ?",
              KeyRowReader::alias,
              arguments.toArray());
        });
  }

  /// Lists a key's tags after a position (0: all), in the order in which their tag keys were first
  /// added.
  public CompletableFuture<List<PositionedTag>> listTags(KeyId id, int after, int limit) {
    return store.read(
        db ->
            db.query(
                "SELECT tag_key, tag_value, position FROM tags"
                    + " WHERE key_id = ? AND position > ? ORDER BY position LIMIT ?",
                row ->
                    new PositionedTag(
                        new Tag(row.getString("tag_key"), row.getString("tag_value")),
                        row.getInt("position")),
                id.value(),
                after,
                limit));
  }
}

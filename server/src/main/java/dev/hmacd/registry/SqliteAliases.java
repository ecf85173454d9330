package dev.hmacd.registry;

import dev.hmacd.key.Alias;
import dev.hmacd.key.AliasEntry;
import dev.hmacd.key.Key;
import dev.hmacd.key.KeyId;
import dev.hmacd.registry.RegistryException.Kind;
import java.sql.SQLException;
import java.time.Clock;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.function.Predicate;

/// Changes of aliases in the SQLite database, for [SqliteKeyWriter].
final class SqliteAliases {
  private final RegistryStore store;
  private final Clock clock;

  SqliteAliases(RegistryStore store, Clock clock) {
    this.store = store;
    this.clock = clock;
  }

  CompletableFuture<AliasEntry> create(Alias alias, KeyId target, Predicate<Key> allowed) {
    return store.change(
        change -> {
          Key key = KeyRowReader.require(change, target, allowed);
          long now = clock.millis();
          int inserted =
              change.update(
                  change.alias(alias),
                  "INSERT INTO aliases (name, key_id, created_ms, updated_ms)"
                      + " SELECT ?, key_id, ?, ? FROM keys WHERE key_id = ? AND state = ?"
                      + " ON CONFLICT (name) DO NOTHING",
                  alias.name(),
                  now,
                  now,
                  target.value(),
                  key.state().name());
          if (inserted == 0 && find(change, alias).isPresent()) {
            throw new RegistryException(
                Kind.ALIAS_EXISTS, "the alias " + alias.name() + " exists already");
          }
          KeyStatements.requireChanged(inserted);
          change.touch(change.key(target));
          requireQuota(change, target);
          return require(change, alias);
        });
  }

  CompletableFuture<AliasEntry> update(Alias alias, KeyId target, Predicate<Key> allowed) {
    return store.change(
        change -> {
          KeyId from = require(change, alias).target();
          Key to = KeyRowReader.require(change, target, allowed);
          KeyStatements.requireChanged(
              change.update(
                  change.alias(alias),
                  "UPDATE aliases SET key_id = ?, updated_ms = ? WHERE name = ? AND key_id = ?"
                      + " AND EXISTS (SELECT 1 FROM keys WHERE key_id = ? AND state = ?)",
                  target.value(),
                  clock.millis(),
                  alias.name(),
                  from.value(),
                  target.value(),
                  to.state().name()));
          change.touch(change.key(from));
          change.touch(change.key(target));
          requireQuota(change, target);
          return require(change, alias);
        });
  }

  CompletableFuture<Alias> delete(Alias alias) {
    return store.change(
        change -> {
          KeyId target = require(change, alias).target();
          int deleted =
              change.update(
                  change.alias(alias),
                  "DELETE FROM aliases WHERE name = ? AND key_id = ?",
                  alias.name(),
                  target.value());
          if (deleted == 0) {
            throw notFound(alias);
          }
          change.touch(change.key(target));
          return alias;
        });
  }

  private static Optional<AliasEntry> find(Queries db, Alias alias) throws SQLException {
    return KeyRowReader.aliases(db, List.of(alias.name())).stream().findFirst();
  }

  private static AliasEntry require(Queries db, Alias alias) throws SQLException {
    return find(db, alias).orElseThrow(() -> notFound(alias));
  }

  private static RegistryException notFound(Alias alias) {
    return new RegistryException(
        Kind.ALIAS_NOT_FOUND, "the alias " + alias.name() + " does not exist");
  }

  /// Refuses a change after which a key has too many aliases.
  private static void requireQuota(Queries db, KeyId key) throws SQLException {
    int count =
        db.query(
                "SELECT count(*) AS aliases FROM aliases WHERE key_id = ?",
                row -> row.getInt("aliases"),
                key.value())
            .getFirst();
    if (count > KeyWriter.MAX_ALIASES_PER_KEY) {
      throw new RegistryException(
          Kind.TOO_MANY_ALIASES,
          "alias limit reached (" + KeyWriter.MAX_ALIASES_PER_KEY + " per key)");
    }
  }
}

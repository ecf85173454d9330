package dev.hmacd.registry;

import dev.hmacd.key.Alias;
import dev.hmacd.key.AliasEntry;
import dev.hmacd.key.Key;
import dev.hmacd.key.KeyId;
import dev.hmacd.registry.RegistryException.Kind;
import java.sql.SQLException;
import java.time.Clock;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.function.Predicate;

/// Changes of aliases in the SQLite database, for [SqliteKeyWriter].
final class SqliteAliases {
  private final RegistryStore store;
  private final KeyTable table;
  private final Clock clock;

  SqliteAliases(RegistryStore store, KeyTable table, Clock clock) {
    this.store = store;
    this.table = table;
    this.clock = clock;
  }

  CompletableFuture<AliasEntry> create(Alias alias, KeyId target, Predicate<Key> allowed) {
    return store.change(
        change -> {
          Key key = table.require(target, allowed);
          long now = clock.millis();
          int inserted =
              change.update(
                  ChangedEntry.alias(alias),
                  "INSERT INTO aliases (name, key_id, created_ms, updated_ms)"
                      + " SELECT ?, key_id, ?, ? FROM keys WHERE key_id = ? AND state = ?"
                      + " ON CONFLICT (name) DO NOTHING",
                  alias.name(),
                  now,
                  now,
                  target.value(),
                  key.state().name());
          if (inserted == 0 && !find(change, alias).isEmpty()) {
            throw new RegistryException(
                Kind.ALIAS_EXISTS, "the alias " + alias.name() + " exists already");
          }
          KeyStatements.requireChanged(inserted);
          change.touch(ChangedEntry.key(target));
          requireQuota(change, target);
          AliasEntry created = find(change, alias).getFirst();
          return () -> {
            table.put(with(key, alias));
            return created;
          };
        });
  }

  CompletableFuture<AliasEntry> update(Alias alias, KeyId target, Predicate<Key> allowed) {
    return store.change(
        change -> {
          Key from = table.find(alias).orElseThrow(() -> notFound(alias));
          Key to = table.require(target, allowed);
          KeyStatements.requireChanged(
              change.update(
                  ChangedEntry.alias(alias),
                  "UPDATE aliases SET key_id = ?, updated_ms = ? WHERE name = ? AND key_id = ?"
                      + " AND EXISTS (SELECT 1 FROM keys WHERE key_id = ? AND state = ?)",
                  target.value(),
                  clock.millis(),
                  alias.name(),
                  from.id().value(),
                  target.value(),
                  to.state().name()));
          change.touch(ChangedEntry.key(from.id()));
          change.touch(ChangedEntry.key(target));
          requireQuota(change, target);
          AliasEntry moved = find(change, alias).getFirst();
          return () -> {
            if (!from.id().equals(to.id())) {
              // First the new key, then the old key, so that the alias always points at a key.
              table.put(with(to, alias));
              table.put(without(from, alias));
            }
            return moved;
          };
        });
  }

  CompletableFuture<Alias> delete(Alias alias) {
    return store.change(
        change -> {
          Key key = table.find(alias).orElseThrow(() -> notFound(alias));
          int deleted =
              change.update(
                  ChangedEntry.alias(alias),
                  "DELETE FROM aliases WHERE name = ? AND key_id = ?",
                  alias.name(),
                  key.id().value());
          if (deleted == 0) {
            throw notFound(alias);
          }
          change.touch(ChangedEntry.key(key.id()));
          return () -> {
            table.put(without(key, alias));
            return alias;
          };
        });
  }

  /// Reads an alias, as a list with one entry. The list is empty if the alias does not exist.
  private static List<AliasEntry> find(Queries db, Alias alias) throws SQLException {
    return db.query(
        KeyRowReader.SELECT_ALIASES + " WHERE name = ?", KeyRowReader::alias, alias.name());
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

  private static Key with(Key key, Alias alias) {
    Set<Alias> aliases = new HashSet<>(key.aliases());
    aliases.add(alias);
    return key.with(aliases);
  }

  private static Key without(Key key, Alias alias) {
    Set<Alias> aliases = new HashSet<>(key.aliases());
    aliases.remove(alias);
    return key.with(aliases);
  }
}

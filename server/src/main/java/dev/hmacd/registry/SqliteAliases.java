package dev.hmacd.registry;

import dev.hmacd.key.Alias;
import dev.hmacd.key.AliasEntry;
import dev.hmacd.key.KeyEntry;
import dev.hmacd.key.KeyId;
import dev.hmacd.registry.RegistryException.Kind;
import java.sql.SQLException;
import java.time.Clock;
import java.time.Instant;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;

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

  CompletableFuture<AliasEntry> create(Alias alias, KeyId target) {
    return store.change(
        db -> {
          if (!find(db, alias).isEmpty()) {
            throw new RegistryException(Kind.ALIAS_EXISTS, "the alias exists");
          }
          KeyEntry key = roomyTarget(target);
          Instant now = Instant.ofEpochMilli(clock.millis());
          db.update(
              "INSERT INTO aliases (name, key_id, created_ms, updated_ms) VALUES (?, ?, ?, ?)",
              alias.name(),
              target.value(),
              now.toEpochMilli(),
              now.toEpochMilli());
          return () -> {
            table.put(with(key, alias));
            return new AliasEntry(alias, target, now, now);
          };
        });
  }

  CompletableFuture<AliasEntry> update(Alias alias, KeyId target) {
    return store.change(
        db -> {
          List<AliasEntry> found = find(db, alias);
          if (found.isEmpty()) {
            throw notFound();
          }
          AliasEntry old = found.getFirst();
          boolean moves = !old.target().equals(target);
          KeyEntry from = table.require(old.target());
          KeyEntry to = moves ? roomyTarget(target) : from;
          Instant now = Instant.ofEpochMilli(clock.millis());
          db.update(
              "UPDATE aliases SET key_id = ?, updated_ms = ? WHERE name = ?",
              target.value(),
              now.toEpochMilli(),
              alias.name());
          return () -> {
            if (moves) {
              // In this order, so that the alias leads to a key at every moment.
              table.put(with(to, alias));
              table.put(without(from, alias));
            }
            return new AliasEntry(alias, target, old.created(), now);
          };
        });
  }

  CompletableFuture<Alias> delete(Alias alias) {
    return store.change(
        db -> {
          List<AliasEntry> found = find(db, alias);
          if (found.isEmpty()) {
            throw notFound();
          }
          KeyEntry key = table.require(found.getFirst().target());
          db.update("DELETE FROM aliases WHERE name = ?", alias.name());
          return () -> {
            table.put(without(key, alias));
            return alias;
          };
        });
  }

  private static List<AliasEntry> find(Database db, Alias alias) throws SQLException {
    return db.query(KeyRows.SELECT_ALIASES + " WHERE name = ?", KeyRows::alias, alias.name());
  }

  private static RegistryException notFound() {
    return new RegistryException(Kind.ALIAS_NOT_FOUND, "no such alias");
  }

  /// The key with an id, which has room for one more alias.
  private KeyEntry roomyTarget(KeyId target) {
    KeyEntry key = table.require(target);
    if (key.aliases().size() >= KeyWriter.MAX_ALIASES_PER_KEY) {
      throw new RegistryException(Kind.TOO_MANY_ALIASES, "the key has its most aliases");
    }
    return key;
  }

  private static KeyEntry with(KeyEntry key, Alias alias) {
    Set<Alias> aliases = new HashSet<>(key.aliases());
    aliases.add(alias);
    return key.with(aliases);
  }

  private static KeyEntry without(KeyEntry key, Alias alias) {
    Set<Alias> aliases = new HashSet<>(key.aliases());
    aliases.remove(alias);
    return key.with(aliases);
  }
}

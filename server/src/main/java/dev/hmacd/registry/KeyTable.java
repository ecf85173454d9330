package dev.hmacd.registry;

import dev.hmacd.key.Alias;
import dev.hmacd.key.ArnScope;
import dev.hmacd.key.Key;
import dev.hmacd.key.KeyId;
import dev.hmacd.registry.RegistryException.Kind;
import java.sql.SQLException;
import java.util.Collection;
import java.util.Collections;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/// All keys of the registry in memory, by id and by alias. Reads are thread-safe. Changes run on
/// the thread of [RegistryStore].
///
/// The maps by id and by alias have complete keys as values, so each look-up is one read of one
/// map. A change publishes the changed key under its id and each alias, one after the other. A
/// concurrent read returns the key before or after the change. A change is answered after it is
/// published under all names.
final class KeyTable implements KeyReader, RegistryFile.CachedPart {
  private final ArnScope scope;
  private final String arnPrefix;
  private final Map<String, Key> byId = new ConcurrentHashMap<>();

  /// Keys by alias. Invariant: each key has the alias among its aliases.
  private final Map<String, Key> byAlias = new ConcurrentHashMap<>();

  KeyTable(ArnScope scope) {
    this.scope = scope;
    this.arnPrefix = scope.prefix();
  }

  @Override
  public void load(Database db) throws SQLException {
    Map<String, Key> newById = new HashMap<>();
    Map<String, Key> newByAlias = new HashMap<>();
    for (Key key : KeyRowReader.all(db)) {
      newById.put(key.id().value(), key);
      key.aliases().forEach(alias -> newByAlias.put(alias.name(), key));
    }
    replace(byId, newById);
    replace(byAlias, newByAlias);
  }

  /// Replaces the content of a map, name by name. A concurrent read always finds a name that is in
  /// both the old and the new content.
  private static void replace(Map<String, Key> map, Map<String, Key> content) {
    map.putAll(content);
    map.keySet().retainAll(content.keySet());
  }

  @Override
  public @Nullable Key resolve(String given) {
    String name = given.startsWith(arnPrefix) ? given.substring(arnPrefix.length()) : given;
    if (name.startsWith(Alias.PREFIX)) {
      return byAlias.get(name);
    }
    if (name.startsWith("key/") && name.length() != given.length()) {
      name = name.substring("key/".length());
    } else if (name.length() != given.length()) {
      return null;
    }
    return byId.get(name);
  }

  @Override
  public Optional<Key> find(KeyId id) {
    return Optional.ofNullable(byId.get(id.value()));
  }

  @Override
  public Optional<Key> find(Alias alias) {
    return Optional.ofNullable(byAlias.get(alias.name()));
  }

  @Override
  public CompletableFuture<Optional<Key>> load(String given) {
    return CompletableFuture.completedFuture(Optional.ofNullable(resolve(given)));
  }

  @Override
  public ArnScope scope() {
    return scope;
  }

  /// Finds the key with an id.
  ///
  /// @throws RegistryException `KEY_NOT_FOUND` if no key has the id
  Key require(KeyId id) {
    return find(id)
        .orElseThrow(
            () -> new RegistryException(Kind.KEY_NOT_FOUND, "the key " + id + " does not exist"));
  }

  /// Finds the key with an id, and checks whether its current state allows a change.
  ///
  /// @throws RegistryException `KEY_NOT_FOUND` if no key has the id, `REFUSED` if the state does
  ///   not allow the change
  Key require(KeyId id, Predicate<Key> allowed) {
    Key key = require(id);
    if (!allowed.test(key)) {
      throw KeyStatements.refused();
    }
    return key;
  }

  /// A live view of all keys except the condemned keys, in any order.
  Collection<Key> all() {
    return Collections.unmodifiableCollection(byId.values());
  }

  /// Publishes a new or changed key under its id and its aliases, and then removes the aliases that
  /// the key no longer has.
  ///
  /// The move of an alias needs two calls: first with the new key of the alias, then with the old
  /// key. The call with the old key keeps an alias of the new key, so the alias always points at a
  /// key.
  Key put(Key key) {
    Key before = byId.put(key.id().value(), key);
    for (Alias alias : key.aliases()) {
      byAlias.put(alias.name(), key);
    }
    if (before != null) {
      for (Alias alias : before.aliases()) {
        if (!key.aliases().contains(alias)) {
          byAlias.remove(alias.name(), before);
        }
      }
    }
    return key;
  }

  /// Removes a key and its aliases.
  void remove(KeyId id) {
    Key removed = byId.remove(id.value());
    if (removed != null) {
      removed.aliases().forEach(alias -> byAlias.remove(alias.name()));
    }
  }
}

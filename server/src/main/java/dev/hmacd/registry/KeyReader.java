package dev.hmacd.registry;

import dev.hmacd.key.Alias;
import dev.hmacd.key.ArnScope;
import dev.hmacd.key.Key;
import dev.hmacd.key.KeyId;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/// Look-up of keys for MACs and access decisions. Thread-safe.
///
/// A look-up returns a [Key]: an immutable snapshot of the key's state, tokens and aliases. A
/// look-up by alias returns only a key that has the alias among its aliases. After a change is
/// answered, each look-up returns the changed key (read-your-writes).
///
/// [#resolve] and [#find] read memory only. If an implementation holds only a part of the registry
/// in memory, [#load] reads the other keys from the database. [KeyTable] holds all keys, so its
/// callers do not need [#load].
public interface KeyReader {
  /// Finds a key in memory by id, ARN, alias or alias ARN. Does the work of [KeyReference#parse]
  /// and [#find] in one step, because every MAC needs it. A look-up by id or alias allocates no
  /// memory.
  ///
  /// @return null if no key in memory has the name, or the name is malformed
  @Nullable Key resolve(String given);

  /// Finds a key by id in memory.
  Optional<Key> find(KeyId id);

  /// Finds the key that an alias points at now.
  Optional<Key> find(Alias alias);

  /// As [#resolve], but reads a key from the database if the key is not in memory.
  ///
  /// @return empty if no key of the registry has the name; fails with a [RegistryException]
  CompletableFuture<Optional<Key>> load(String given);

  /// The partition, region and account of the ARNs that [#resolve] accepts.
  ArnScope scope();
}

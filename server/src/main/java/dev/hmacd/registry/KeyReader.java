package dev.hmacd.registry;

import dev.hmacd.key.Alias;
import dev.hmacd.key.ArnScope;
import dev.hmacd.key.KeyEntry;
import dev.hmacd.key.KeyId;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/// Look-up of keys for MACs and access decisions. Thread-safe.
///
/// A look-up returns one immutable [KeyEntry], which has the key's state, tokens and aliases of one
/// moment. A decision from one look-up never mixes two moments. A look-up by alias returns only a
/// key that has the alias among its aliases. A look-up that starts after the answer of a change
/// sees the change.
///
/// [#resolve] and [#find] read memory only. A key that they do not find may still be in the
/// database if the implementation holds a part of the registry: [#load] decides. [KeyTable] holds
/// all keys, so no caller needs [#load] with it.
public interface KeyReader {
  /// The key that a caller names by id, ARN, alias or alias ARN: [KeyName#parse] and [#find] in
  /// one, for every MAC. A look-up by id or alias allocates nothing.
  ///
  /// @return null if memory has no such key, also if the name is malformed
  @Nullable KeyEntry resolve(String given);

  /// The key with an id.
  Optional<KeyEntry> find(KeyId id);

  /// The key that an alias points at now.
  Optional<KeyEntry> find(Alias alias);

  /// Like [#resolve], but reads a key from the database if it is not in memory.
  ///
  /// @return empty if the registry has no such key; fails like the store
  CompletableFuture<Optional<KeyEntry>> load(String given);

  /// The scope of the ARNs that [#resolve] accepts.
  ArnScope scope();
}

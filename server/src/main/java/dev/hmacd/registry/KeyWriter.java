package dev.hmacd.registry;

import dev.hmacd.key.Alias;
import dev.hmacd.key.AliasEntry;
import dev.hmacd.key.Key;
import dev.hmacd.key.KeyAttributes;
import dev.hmacd.key.KeyCheckValue;
import dev.hmacd.key.KeyId;
import dev.hmacd.key.Tag;
import dev.hmacd.limit.Owner;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.function.Function;
import java.util.function.Predicate;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/// Changes of keys, aliases and tags. Thread-safe.
///
/// A change is on the disk first, then in the cache, then answered. A change that fails with a
/// [RegistryException] has no effect.
public interface KeyWriter {
  /// Maximum number of aliases of one key, equal to the quota of AWS KMS.
  int MAX_ALIASES_PER_KEY = 50;

  /// Starts a registry operation, which counts against the quota of its owner until it completes.
  ///
  /// @param owner the caller; all owners with the same principal share one quota
  /// @return fails with `OWNER_BUSY` if the owner has too many operations in flight
  <T> CompletableFuture<T> forOwner(Owner owner, Supplier<CompletableFuture<T>> work);

  /// Stores a new key. After this operation, a crash cannot orphan the key's object on the token. A
  /// key in state `CREATING` is stored with this process as its owner, and with attempt number 1
  /// ([CreatingKey]).
  ///
  /// @param tags at most [Tag#MAX_PER_KEY] tags, with different tag keys
  default CompletableFuture<Key> insert(Key entry, List<Tag> tags) {
    return insert(entry, tags, entry.tokenSerials());
  }

  /// As [#insert(Key, List)], but checks the key's object on the given tokens.
  ///
  /// @param tokenSerials the tokens on which the object must not belong to another key
  /// @return fails with `OBJECT_TAKEN` if the object belongs to another key
  CompletableFuture<Key> insert(Key entry, List<Tag> tags, List<String> tokenSerials);

  /// Enables a key in state `CREATING`, after its object was generated with the given attributes. A
  /// key in another state stays unchanged.
  ///
  /// @param check the check value; null if the token cannot compute it
  /// @return the key in its state after the change; fails with `KEY_NOT_FOUND`
  CompletableFuture<Key> enable(KeyId id, KeyAttributes read, @Nullable KeyCheckValue check);

  /// Deletes a key in state `CREATING` that has no object on the token. A key in another state
  /// stays in the registry.
  CompletableFuture<KeyId> abandon(KeyId id);

  /// Stores the check value of a key that has none. A stored check value never changes.
  ///
  /// @return the key with the stored check value; fails with `KEY_NOT_FOUND`
  CompletableFuture<Key> storeCheckValue(KeyId id, KeyCheckValue check);

  /// Changes a key's state, deletion date or description.
  ///
  /// @param change computes the changed key from the current key; returns empty to refuse the
  ///   change
  /// @return fails with `KEY_NOT_FOUND`; with `REFUSED` if `change` returned empty; with
  ///   `OVERTAKEN` if the change would enable a disabled key, and [#stop] was called for the key
  ///   after this method
  CompletableFuture<Key> update(KeyId id, Function<Key, Optional<Key>> change);

  /// Stops a key: as [#update], but before all waiting changes that are not urgent, within a quota
  /// of the owner for urgent changes.
  ///
  /// A stop may overtake an earlier waiting change of the same key. The overtaking is safe, because
  /// each change reads the key at its execution, not at its request. If the change depends on the
  /// state of the key, its SQL statements have this state as a condition:
  ///
  /// - An overtaken change that the new state does not allow fails with `REFUSED`. The caller of
  ///   the overtaken change gets the same error as for a request after the stop.
  /// - An overtaken change that the new state allows has the same effect before and after the stop,
  ///   with one exception: EnableKey would undo the stop. Therefore EnableKey fails with
  ///   `OVERTAKEN`.
  ///
  /// [#condemnDue] is not urgent: it is final, and must not overtake a waiting CancelKeyDeletion.
  ///
  /// @param owner the caller; all owners with the same principal share one quota
  /// @param change as in [#update]
  /// @return fails with `KEY_NOT_FOUND`, `REFUSED` or `OWNER_BUSY`
  CompletableFuture<Key> stop(Owner owner, KeyId id, Function<Key, Optional<Key>> change);

  /// Marks the keys whose deletion is due as condemned, and deletes their aliases. Callers cannot
  /// use condemned keys any more. The rows of condemned keys stay until [#forget].
  ///
  /// Writes nothing if no deletion is due, unless the registry is not healthy: then this change
  /// tests whether the registry can be written again.
  ///
  /// @param limit maximum number of keys
  CompletableFuture<List<Key>> condemnDue(int limit);

  /// Deletes a condemned key from the registry, after its tokens have destroyed its object.
  CompletableFuture<KeyId> forget(KeyId id);

  /// Records that another token also holds a key's object.
  ///
  /// @return fails with `KEY_NOT_FOUND`, or `OBJECT_TAKEN` if the object belongs to another key
  CompletableFuture<Key> alsoOn(KeyId id, String serial);

  /// Records that a token no longer holds a key's object. The token must not be the one on which
  /// the key was created or adopted.
  ///
  /// @return fails with `KEY_NOT_FOUND`
  CompletableFuture<Key> notOn(KeyId id, String serial);

  /// Records that a token was restored from a backup, with all its objects, under another serial
  /// number.
  ///
  /// @param before the serial number of the token in the backup
  /// @param now the new serial number; must have no recorded keys of callers; its recorded own keys
  ///   are replaced
  /// @return number of keys that are recorded for the restored token
  CompletableFuture<Long> restored(String before, String now);

  /// Creates an alias that points at a key.
  ///
  /// @param allowed whether the current state of the key allows the change
  /// @return fails with `ALIAS_EXISTS`, `KEY_NOT_FOUND`, `REFUSED` or `TOO_MANY_ALIASES`
  CompletableFuture<AliasEntry> createAlias(Alias alias, KeyId target, Predicate<Key> allowed);

  /// Points an alias at another key.
  ///
  /// @param allowed whether the current state of the other key allows the change
  /// @return fails with `ALIAS_NOT_FOUND`, `KEY_NOT_FOUND`, `REFUSED` or `TOO_MANY_ALIASES`
  CompletableFuture<AliasEntry> updateAlias(Alias alias, KeyId target, Predicate<Key> allowed);

  /// Deletes an alias.
  ///
  /// @return fails with `ALIAS_NOT_FOUND`
  CompletableFuture<Alias> deleteAlias(Alias alias);

  /// Adds tags to a key. A tag replaces an existing tag with the same tag key.
  ///
  /// @return fails with `KEY_NOT_FOUND`, `REFUSED`, or `TOO_MANY_TAGS`
  CompletableFuture<KeyId> tag(KeyId id, Predicate<Key> allowed, List<Tag> tags);

  /// Removes tags from a key. Ignores tag keys that the key does not have.
  ///
  /// @return fails with `KEY_NOT_FOUND` or `REFUSED`
  CompletableFuture<KeyId> untag(KeyId id, Predicate<Key> allowed, List<String> tagKeys);
}

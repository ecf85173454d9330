package dev.hmacd.key;

import java.time.Instant;
import java.util.Collection;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// A key of the registry: its metadata, its state and its current version. Immutable.
///
/// @param created time of the creation, to the millisecond
/// @param deletion time of the scheduled destruction; null unless the key is `PENDING_DELETION`
/// @param currentVersion the key version that computes new MACs
/// @param aliases the aliases that point at this key now
public record Key(
    KeyId id,
    KeySpec spec,
    KeyState state,
    KeyOrigin origin,
    Instant created,
    String description,
    @Nullable Instant deletion,
    KeyVersion currentVersion,
    Set<Alias> aliases) {

  public Key {
    aliases = Set.copyOf(aliases);
    if ((state == KeyState.PENDING_DELETION) != (deletion != null)) {
      throw new IllegalArgumentException(
          "key " + id + " must have a deletion date if and only if it is PENDING_DELETION");
    }
  }

  /// The object of the current key version.
  public KeyObject object() {
    return currentVersion.placement().object();
  }

  /// Serial numbers of the tokens that hold the current key version, one or more.
  public List<String> tokenSerials() {
    return currentVersion.placement().tokenSerials();
  }

  /// Serial number of the token on which the current key version was created or adopted.
  public String tokenSerial() {
    return currentVersion.placement().firstSerial();
  }

  /// Serial numbers of the other tokens that hold the current key version.
  public List<String> otherTokenSerials() {
    return currentVersion.placement().otherSerials();
  }

  /// The attributes of the current key version ([KeyVersion#attributes]).
  public @Nullable KeyAttributes attributes() {
    return currentVersion.attributes();
  }

  /// The check value of the current key version ([KeyVersion#check]).
  public @Nullable KeyCheckValue check() {
    return currentVersion.check();
  }

  /// The same key, held by additional tokens.
  public Key alsoOn(Collection<String> more) {
    return with(currentVersion.with(currentVersion.placement().alsoOn(more)));
  }

  /// The same key, no longer held by the token `serial`. The first token of a key is never removed.
  public Key notOn(String serial) {
    return with(currentVersion.with(currentVersion.placement().notOn(serial)));
  }

  /// The same key, after one of its tokens got a new serial number.
  public Key restored(String before, String now) {
    return with(currentVersion.with(currentVersion.placement().renamed(before, now)));
  }

  /// The same key in another state, without a deletion date.
  public Key in(KeyState newState) {
    return copy(newState, description, null, currentVersion, aliases);
  }

  /// The same key in state `PENDING_DELETION`, with its deletion date.
  public Key pendingDeletion(Instant when) {
    return copy(KeyState.PENDING_DELETION, description, when, currentVersion, aliases);
  }

  public Key describedAs(String newDescription) {
    return copy(state, newDescription, deletion, currentVersion, aliases);
  }

  public Key with(Set<Alias> newAliases) {
    return copy(state, description, deletion, currentVersion, newAliases);
  }

  /// The same key in state `ENABLED`, with the attributes of its object.
  ///
  /// @param checkValue the check value; null if the token has no mechanism to compute a check value
  public Key enabled(KeyAttributes read, @Nullable KeyCheckValue checkValue) {
    KeyVersion generated = currentVersion.generated(read, checkValue);
    return copy(KeyState.ENABLED, description, null, generated, aliases);
  }

  /// The same key with this check value.
  public Key withCheckValue(KeyCheckValue checkValue) {
    return with(currentVersion.with(checkValue));
  }

  private Key with(KeyVersion version) {
    return copy(state, description, deletion, version, aliases);
  }

  private Key copy(
      KeyState newState,
      String newDescription,
      @Nullable Instant newDeletion,
      KeyVersion newVersion,
      Set<Alias> newAliases) {
    return new Key(
        id, spec, newState, origin, created, newDescription, newDeletion, newVersion, newAliases);
  }
}

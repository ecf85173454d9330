package dev.hmacd.key;

import java.time.Instant;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// A key as the registry knows it; immutable.
///
/// @param created to the millisecond
/// @param version the current version, 1 or more
/// @param tokenSerial the token that holds the object
/// @param attributes as read when the object was made or adopted; null while the key is `CREATING`
/// @param deletion when the key is to be destroyed; null unless it is `PENDING_DELETION`
/// @param aliases those that point at this key now
public record KeyEntry(
    KeyId id,
    KeySpec spec,
    KeyState state,
    KeyOrigin origin,
    Instant created,
    String description,
    int version,
    String tokenSerial,
    KeyObject object,
    @Nullable KeyAttributes attributes,
    @Nullable Instant deletion,
    Set<Alias> aliases) {

  public KeyEntry {
    aliases = Set.copyOf(aliases);
    if ((state == KeyState.PENDING_DELETION) != (deletion != null)) {
      throw new IllegalArgumentException("a key has a deletion date while it waits for it");
    }
  }

  /// The same key in another state, without a deletion date.
  public KeyEntry in(KeyState newState) {
    return copy(newState, description, attributes, null, aliases);
  }

  /// The same key, to be destroyed then.
  public KeyEntry pendingDeletion(Instant when) {
    return copy(KeyState.PENDING_DELETION, description, attributes, when, aliases);
  }

  public KeyEntry describedAs(String newDescription) {
    return copy(state, newDescription, attributes, deletion, aliases);
  }

  KeyEntry with(Set<Alias> newAliases) {
    return copy(state, description, attributes, deletion, newAliases);
  }

  KeyEntry enabled(KeyAttributes read) {
    return copy(KeyState.ENABLED, description, read, null, aliases);
  }

  private KeyEntry copy(
      KeyState newState,
      String newDescription,
      @Nullable KeyAttributes newAttributes,
      @Nullable Instant newDeletion,
      Set<Alias> newAliases) {
    return new KeyEntry(
        id,
        spec,
        newState,
        origin,
        created,
        newDescription,
        version,
        tokenSerial,
        object,
        newAttributes,
        newDeletion,
        newAliases);
  }
}

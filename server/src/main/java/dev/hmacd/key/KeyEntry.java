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
    Set<Alias> aliases) {

  public KeyEntry {
    aliases = Set.copyOf(aliases);
  }

  KeyEntry with(Set<Alias> newAliases) {
    return new KeyEntry(
        id,
        spec,
        state,
        origin,
        created,
        description,
        version,
        tokenSerial,
        object,
        attributes,
        newAliases);
  }

  KeyEntry enabled(KeyAttributes read) {
    return new KeyEntry(
        id,
        spec,
        KeyState.ENABLED,
        origin,
        created,
        description,
        version,
        tokenSerial,
        object,
        read,
        aliases);
  }
}

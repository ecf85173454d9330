package dev.hmacd.key;

import java.time.Instant;
import java.util.Collection;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/// The registry entry of a key: its metadata, state and object on the tokens. Immutable.
///
/// @param created to the millisecond
/// @param version the current version, 1 or more
/// @param tokenSerials the tokens that hold the object, one or more; the key was created or adopted
///   on the first one
/// @param attributes as read at the generation or adoption of the object; null while the key is
///   `CREATING`
/// @param check the check value of the current version; null while the key is `CREATING`. Also null
///   until the first use if an older version of hmacd created the key, or its token had no
///   mechanism for MACs
/// @param deletion time of the scheduled destruction; null unless the key is `PENDING_DELETION`
/// @param aliases the aliases that point at this key now
public record Key(
    KeyId id,
    KeySpec spec,
    KeyState state,
    KeyOrigin origin,
    Instant created,
    String description,
    int version,
    List<String> tokenSerials,
    KeyObject object,
    @Nullable KeyAttributes attributes,
    @Nullable KeyCheckValue check,
    @Nullable Instant deletion,
    Set<Alias> aliases) {

  public Key {
    aliases = Set.copyOf(aliases);
    tokenSerials = List.copyOf(tokenSerials);
    if (tokenSerials.isEmpty()) {
      throw new IllegalArgumentException("key " + id + " must have at least one token");
    }
    if ((state == KeyState.PENDING_DELETION) != (deletion != null)) {
      throw new IllegalArgumentException(
          "key " + id + " must have a deletion date if and only if it is PENDING_DELETION");
    }
  }

  /// The token on which the key was created or adopted.
  public String tokenSerial() {
    return tokenSerials.getFirst();
  }

  /// The further tokens that hold the key.
  public List<String> otherTokenSerials() {
    return tokenSerials.subList(1, tokenSerials.size());
  }

  /// The same key with further tokens.
  public Key alsoOn(Collection<String> more) {
    List<String> all = Stream.concat(tokenSerials.stream(), more.stream()).distinct().toList();
    return copy(state, all, description, attributes, check, deletion, aliases);
  }

  /// The same key without one of its tokens.
  public Key notOn(String serial) {
    List<String> rest =
        tokenSerials.stream()
            .filter(each -> each.equals(tokenSerial()) || !each.equals(serial))
            .toList();
    return copy(state, rest, description, attributes, check, deletion, aliases);
  }

  /// The same key with another serial number of one of its tokens.
  public Key restored(String before, String now) {
    List<String> renamed =
        tokenSerials.stream().map(each -> each.equals(before) ? now : each).distinct().toList();
    return copy(state, renamed, description, attributes, check, deletion, aliases);
  }

  /// The same key in another state, without a deletion date.
  public Key in(KeyState newState) {
    return copy(newState, tokenSerials, description, attributes, check, null, aliases);
  }

  /// The same key in state `PENDING_DELETION`, with its deletion date.
  public Key pendingDeletion(Instant when) {
    return copy(
        KeyState.PENDING_DELETION, tokenSerials, description, attributes, check, when, aliases);
  }

  public Key describedAs(String newDescription) {
    return copy(state, tokenSerials, newDescription, attributes, check, deletion, aliases);
  }

  public Key with(Set<Alias> newAliases) {
    return copy(state, tokenSerials, description, attributes, check, deletion, newAliases);
  }

  /// The same key in state `ENABLED`, with the attributes of its object.
  ///
  /// @param checkValue the check value; null if the token has no mechanism for it
  public Key enabled(KeyAttributes read, @Nullable KeyCheckValue checkValue) {
    return copy(KeyState.ENABLED, tokenSerials, description, read, checkValue, null, aliases);
  }

  /// The same key with this check value.
  public Key withCheckValue(KeyCheckValue checkValue) {
    return copy(state, tokenSerials, description, attributes, checkValue, deletion, aliases);
  }

  private Key copy(
      KeyState newState,
      List<String> newTokenSerials,
      String newDescription,
      @Nullable KeyAttributes newAttributes,
      @Nullable KeyCheckValue newCheck,
      @Nullable Instant newDeletion,
      Set<Alias> newAliases) {
    return new Key(
        id,
        spec,
        newState,
        origin,
        created,
        newDescription,
        version,
        newTokenSerials,
        object,
        newAttributes,
        newCheck,
        newDeletion,
        newAliases);
  }
}

package dev.hmacd.key;

import java.time.Instant;
import java.util.Collection;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/// A key as the registry knows it; immutable.
///
/// @param created to the millisecond
/// @param version the current version, 1 or more
/// @param tokenSerials the tokens that hold the object, one or more; the first is the one that it
///   was made or adopted on
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
    List<String> tokenSerials,
    KeyObject object,
    @Nullable KeyAttributes attributes,
    @Nullable Instant deletion,
    Set<Alias> aliases) {

  public KeyEntry {
    aliases = Set.copyOf(aliases);
    tokenSerials = List.copyOf(tokenSerials);
    if (tokenSerials.isEmpty()) {
      throw new IllegalArgumentException("a key is on a token");
    }
    if ((state == KeyState.PENDING_DELETION) != (deletion != null)) {
      throw new IllegalArgumentException("a key has a deletion date while it waits for it");
    }
  }

  /// The token that the key was made or adopted on.
  public String tokenSerial() {
    return tokenSerials.getFirst();
  }

  /// The tokens that hold it, too.
  public List<String> otherTokenSerials() {
    return tokenSerials.subList(1, tokenSerials.size());
  }

  /// The same key, known to be on these tokens, too.
  KeyEntry alsoOn(Collection<String> more) {
    List<String> all = Stream.concat(tokenSerials.stream(), more.stream()).distinct().toList();
    return copy(state, all, description, attributes, deletion, aliases);
  }

  /// The same key, known not to be on this one of its tokens any more.
  KeyEntry notOn(String serial) {
    List<String> rest =
        tokenSerials.stream()
            .filter(each -> each.equals(tokenSerial()) || !each.equals(serial))
            .toList();
    return copy(state, rest, description, attributes, deletion, aliases);
  }

  /// The same key, one of whose tokens has another serial number now.
  KeyEntry restored(String before, String now) {
    List<String> renamed =
        tokenSerials.stream().map(each -> each.equals(before) ? now : each).distinct().toList();
    return copy(state, renamed, description, attributes, deletion, aliases);
  }

  /// The same key in another state, without a deletion date.
  public KeyEntry in(KeyState newState) {
    return copy(newState, tokenSerials, description, attributes, null, aliases);
  }

  /// The same key, to be destroyed then.
  public KeyEntry pendingDeletion(Instant when) {
    return copy(KeyState.PENDING_DELETION, tokenSerials, description, attributes, when, aliases);
  }

  public KeyEntry describedAs(String newDescription) {
    return copy(state, tokenSerials, newDescription, attributes, deletion, aliases);
  }

  KeyEntry with(Set<Alias> newAliases) {
    return copy(state, tokenSerials, description, attributes, deletion, newAliases);
  }

  /// The same key, whose object is there, with these attributes.
  public KeyEntry enabled(KeyAttributes read) {
    return copy(KeyState.ENABLED, tokenSerials, description, read, null, aliases);
  }

  private KeyEntry copy(
      KeyState newState,
      List<String> newTokenSerials,
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
        newTokenSerials,
        object,
        newAttributes,
        newDeletion,
        newAliases);
  }
}

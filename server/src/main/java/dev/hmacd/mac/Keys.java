package dev.hmacd.mac;

import dev.hmacd.access.Access;
import dev.hmacd.access.Action;
import dev.hmacd.access.Principal;
import dev.hmacd.key.KeyEntry;
import dev.hmacd.key.KeyName;
import dev.hmacd.key.KeyRegistry;
import java.util.Optional;

/// Finds the key that a caller names and decides whether the caller may: the one way to a key for
/// every use case.
final class Keys {
  private final KeyRegistry registry;
  private final Access access;

  Keys(KeyRegistry registry, Access access) {
    this.registry = registry;
    this.access = access;
  }

  /// The key that a caller named by id, ARN, alias or alias ARN.
  ///
  /// @throws Refusal [Failure.InvalidKeyId] for a name without form, which tells nothing of what
  ///   exists; [Failure.Denied] alike for keys that do not exist and keys that the caller may not
  ///   use; [Failure.KeyNotFound] for callers who may describe every key
  KeyEntry require(Principal caller, Action action, String given) {
    return require(caller, action, "key_id", given, registry.resolve(given));
  }

  /// As [#require(Principal, Action, String)], where only a key id or key ARN is taken.
  KeyEntry requireById(Principal caller, Action action, String field, String given) {
    Shape.keyId(field, given);
    var name = KeyName.parse(given, registry.scope());
    if (name.isEmpty() || !(name.get() instanceof KeyName.Id(var id))) {
      throw new Refusal(new Failure.InvalidKeyId(field, given));
    }
    return require(caller, action, field, given, registry.find(id));
  }

  private KeyEntry require(
      Principal caller, Action action, String field, String given, Optional<KeyEntry> found) {
    if (found.isPresent()) {
      if (!access.allows(caller, action, found.get())) {
        throw new Refusal(new Failure.Denied(caller, action));
      }
      return found.get();
    }
    if (KeyName.parse(given, registry.scope()).isEmpty()) {
      throw new Refusal(new Failure.InvalidKeyId(field, given));
    }
    if (access.allowsOnAllKeys(caller, Action.DESCRIBE_KEY)) {
      throw new Refusal(new Failure.KeyNotFound(given));
    }
    throw new Refusal(new Failure.Denied(caller, action));
  }

  /// For actions that are about no single key.
  void requireOnAllKeys(Principal caller, Action action) {
    if (!access.allowsOnAllKeys(caller, action)) {
      throw new Refusal(new Failure.Denied(caller, action));
    }
  }
}

package dev.hmacd.usecase;

import dev.hmacd.access.Access;
import dev.hmacd.access.Action;
import dev.hmacd.access.Principal;
import dev.hmacd.key.KeyEntry;
import dev.hmacd.key.KeyName;
import dev.hmacd.registry.KeyReader;
import org.jspecify.annotations.Nullable;

/// Look-up and authorization of the key in a request. Every use case finds its key here.
final class Keys {
  private final KeyReader reader;
  private final Access access;

  Keys(KeyReader reader, Access access) {
    this.reader = reader;
    this.access = access;
  }

  /// The key that a caller named by id, ARN, alias or alias ARN.
  ///
  /// @throws Refusal [Failure.InvalidKeyId] for a malformed name, whether or not a key exists;
  ///   [Failure.Denied] for a key that the caller may not use, and for a key that does not exist;
  ///   [Failure.KeyNotFound] instead for callers with DescribeKey on all keys
  KeyEntry require(Principal caller, Action action, String given) {
    // The registry holds all keys in memory, so a key that it does not resolve does not exist.
    return require(caller, action, "key_id", given, reader.resolve(given));
  }

  /// Like [#require(Principal, Action, String)], but accepts only a key id or a key ARN.
  KeyEntry requireById(Principal caller, Action action, String field, String given) {
    Shape.keyId(field, given);
    var name = KeyName.parse(given, reader.scope());
    if (name.isEmpty() || !(name.get() instanceof KeyName.Id(var id))) {
      throw new Refusal(new Failure.InvalidKeyId(field, given));
    }
    return require(caller, action, field, given, reader.find(id).orElse(null));
  }

  private KeyEntry require(
      Principal caller, Action action, String field, String given, @Nullable KeyEntry found) {
    if (found != null) {
      if (!access.allows(caller, action, found)) {
        throw new Refusal(new Failure.Denied(caller, action));
      }
      return found;
    }
    if (KeyName.parse(given, reader.scope()).isEmpty()) {
      throw new Refusal(new Failure.InvalidKeyId(field, given));
    }
    if (access.allowsOnAllKeys(caller, Action.DESCRIBE_KEY)) {
      throw new Refusal(new Failure.KeyNotFound(given));
    }
    throw new Refusal(new Failure.Denied(caller, action));
  }

  /// Authorizes an action that is not about one key.
  void requireOnAllKeys(Principal caller, Action action) {
    if (!access.allowsOnAllKeys(caller, action)) {
      throw new Refusal(new Failure.Denied(caller, action));
    }
  }
}

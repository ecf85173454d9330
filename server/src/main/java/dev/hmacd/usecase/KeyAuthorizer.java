package dev.hmacd.usecase;

import dev.hmacd.access.Access;
import dev.hmacd.access.Action;
import dev.hmacd.access.Decision;
import dev.hmacd.access.Principal;
import dev.hmacd.key.Key;
import dev.hmacd.key.KeyReference;
import dev.hmacd.registry.KeyReader;
import org.jspecify.annotations.Nullable;

/// Authorizes a request for the key that the request names. Every use case looks up its key with
/// this class.
final class KeyAuthorizer {
  private final KeyReader reader;
  private final Access access;

  KeyAuthorizer(KeyReader reader, Access access) {
    this.reader = reader;
    this.access = access;
  }

  /// Finds the key that a caller named by id, ARN, alias or alias ARN, and authorizes the action.
  ///
  /// @throws Refusal [Failure.InvalidKeyId] for a malformed name; [Failure.Denied] if no rule
  ///   allows the action on the key, or the key does not exist; [Failure.KeyNotFound] for a missing
  ///   key if the caller may describe all keys
  AuthorizedKey require(Call call, Action action, String given) {
    call.concerns(given);
    // The registry has all keys in memory, so an unresolved name means that the key does not exist.
    return require(call, action, "key_id", given, reader.resolve(given));
  }

  /// Finds the key that a caller named by id or ARN, but not by alias, and authorizes the action.
  AuthorizedKey requireById(Call call, Action action, String field, String given) {
    FieldValidation.keyId(field, given);
    call.concerns(given);
    var name = KeyReference.parse(given, reader.scope());
    if (name.isEmpty() || !(name.get() instanceof KeyReference.Id(var id))) {
      throw new Refusal(new Failure.InvalidKeyId(field, given));
    }
    return require(call, action, field, given, reader.find(id).orElse(null));
  }

  private AuthorizedKey require(
      Call call, Action action, String field, String given, @Nullable Key found) {
    Principal caller = call.principal();
    if (found != null) {
      return authorize(caller, action, found);
    }
    if (KeyReference.parse(given, reader.scope()).isEmpty()) {
      throw new Refusal(new Failure.InvalidKeyId(field, given));
    }
    throw new Refusal(notFound(caller, action, given));
  }

  private Failure notFound(Principal caller, Action action, String given) {
    return access.decideOnAllKeys(caller, Action.DESCRIBE_KEY).isAllowed()
        ? new Failure.KeyNotFound(given)
        : new Failure.Denied(caller, action, Decision.NO_RULE);
  }

  private AuthorizedKey authorize(Principal caller, Action action, Key key) {
    Object rules = access.version(); // Read before the decision, to detect later changes.
    return switch (access.decide(caller, action, key)) {
      case Decision.Allowed allowed -> new AuthorizedKey(key, caller, action, allowed, rules, this);
      case Decision.Denied denied -> throw new Refusal(new Failure.Denied(caller, action, denied));
    };
  }

  /// Authorizes an action that concerns no single key, such as CreateKey.
  ///
  /// @return a check that repeats the access decision at the release of the answer
  Reauthorization requireOnAllKeys(Call call, Action action) {
    Principal caller = call.principal();
    Reauthorization check = () -> refusalOnAllKeys(caller, action);
    Failure refusal = check.refusal();
    if (refusal != null) {
      throw new Refusal(refusal);
    }
    return check;
  }

  private @Nullable Failure refusalOnAllKeys(Principal caller, Action action) {
    return switch (access.decideOnAllKeys(caller, action)) {
      case Decision.Allowed _ -> null;
      case Decision.Denied denied -> new Failure.Denied(caller, action, denied);
    };
  }

  /// Whether the key's registry entry (with its state and aliases) and the access rules are
  /// unchanged since the access decision.
  @SuppressWarnings("ReferenceEquality") // A new entry with equal values is not current.
  boolean isCurrent(AuthorizedKey key) {
    return reader.find(key.entry().id()).orElse(null) == key.entry()
        && access.version() == key.rules();
  }

  /// Repeats an access decision, after the registry entry of the key or the rules have changed.
  ///
  /// @return the failure; null if the action on the same key version is still allowed
  @Nullable Failure decideAgain(AuthorizedKey key) {
    Key before = key.entry();
    // Look-up by key id, because an alias may have moved to another key in the meantime.
    Key now = reader.find(before.id()).orElse(null);
    if (now == null) {
      return notFound(key.principal(), key.action(), before.id().value());
    }
    if (access.decide(key.principal(), key.action(), now) instanceof Decision.Denied denied) {
      return new Failure.Denied(key.principal(), key.action(), denied);
    }
    if (!KeyStateRules.allows(key.action(), now)) {
      return KeyStateRules.refusal(key.action(), now).orElseThrow();
    }
    boolean isSameVersion =
        now.currentVersion().number() == before.currentVersion().number()
            && now.object().equals(before.object());
    return isSameVersion ? null : new Failure.KeyUnavailable(before.id());
  }
}

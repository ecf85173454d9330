package dev.hmacd.usecase;

import dev.hmacd.access.Action;
import dev.hmacd.key.Key;
import dev.hmacd.key.KeyState;
import java.util.EnumSet;
import java.util.Optional;
import java.util.Set;

/// Table of the key states in which each action is allowed. AWS KMS has a similar table ("Key
/// states of AWS KMS keys", developer guide).
final class KeyStateRules {
  private static final Set<KeyState> USABLE = EnumSet.of(KeyState.ENABLED, KeyState.UNAVAILABLE);
  private static final Set<KeyState> KEPT =
      EnumSet.of(KeyState.ENABLED, KeyState.UNAVAILABLE, KeyState.DISABLED);
  private static final Set<KeyState> DOOMED = EnumSet.of(KeyState.PENDING_DELETION);
  private static final Set<KeyState> ANY = EnumSet.allOf(KeyState.class);

  private KeyStateRules() {}

  // No default branch: a new action does not compile until its allowed key states are defined.
  private static Set<KeyState> allowed(Action action) {
    return switch (action) {
      case GENERATE_MAC, VERIFY_MAC -> USABLE;
      case ENABLE_KEY,
          DISABLE_KEY,
          SCHEDULE_KEY_DELETION,
          UPDATE_KEY_DESCRIPTION,
          TAG_RESOURCE,
          UNTAG_RESOURCE,
          CREATE_ALIAS,
          UPDATE_ALIAS ->
          KEPT;
      case CANCEL_KEY_DELETION -> DOOMED;
      case DESCRIBE_KEY,
          LIST_RESOURCE_TAGS,
          GET_KEY_ROTATION_STATUS,
          GET_KEY_POLICY,
          LIST_KEY_POLICIES,
          LIST_ALIASES,
          DELETE_ALIAS ->
          ANY;
      // Actions that need no existing key.
      case LIST_KEYS,
          CREATE_KEY,
          ADOPT_KEY,
          GENERATE_RANDOM,
          CREATE_ACCESS_KEY,
          LIST_ACCESS_KEYS,
          DISABLE_ACCESS_KEY,
          DELETE_ACCESS_KEY ->
          ANY;
    };
  }

  /// Whether the key's state allows an action.
  static boolean allows(Action action, Key key) {
    return allowed(action).contains(key.state());
  }

  /// The failure of an action that the key's state does not allow; empty if the state allows the
  /// action.
  static Optional<Failure> refusal(Action action, Key key) {
    if (allows(action, key)) {
      return Optional.empty();
    }
    return Optional.of(
        action == Action.CANCEL_KEY_DELETION
            ? new Failure.KeyNotPendingDeletion(key.id(), key.state())
            : new Failure.KeyNotUsable(key.id(), key.state()));
  }

  /// @throws Refusal if the key's state does not allow the action
  static void require(Action action, Key key) {
    if (!allows(action, key)) {
      throw new Refusal(refusal(action, key).orElseThrow());
    }
  }
}

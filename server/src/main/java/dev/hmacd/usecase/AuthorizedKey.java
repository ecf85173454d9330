package dev.hmacd.usecase;

import dev.hmacd.access.Action;
import dev.hmacd.access.Decision;
import dev.hmacd.access.Principal;
import dev.hmacd.key.Key;
import dev.hmacd.key.KeyCheckValue;
import dev.hmacd.token.SignRequest;
import org.jspecify.annotations.Nullable;

/// Proof of a positive access decision: a key that a caller may use for an action. Only
/// [KeyAuthorizer] creates instances. Without an instance, no MAC is computed for a caller.
///
/// @param entry the key at the decision
/// @param rules the version of the rules at the decision ([dev.hmacd.access.Access#version])
record AuthorizedKey(
    Key entry,
    Principal principal,
    Action action,
    Decision.Allowed decision,
    Object rules,
    KeyAuthorizer authorizer)
    implements ReleaseCheck {
  /// Whether the key, its aliases and the access rules are unchanged since the decision.
  boolean isCurrent() {
    return authorizer.isCurrent(this);
  }

  /// A request for a MAC under this key. There is no other way to a MAC for a caller.
  ///
  /// @param check the check value of the key
  SignRequest signRequest(@Nullable KeyCheckValue check, MacRequest request, long deadlineNanos) {
    return new SignRequest(
        entry.object(), check, request.algorithm(), request.message(), deadlineNanos);
  }

  /// The failure of a new decision if this one is not current; null if the caller may have the
  /// answer.
  @Override
  public @Nullable Failure refusal() {
    return isCurrent() ? null : authorizer.decideAgain(this);
  }
}

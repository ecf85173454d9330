package dev.hmacd.usecase;

import dev.hmacd.access.Action;
import dev.hmacd.access.Decision;
import dev.hmacd.access.Principal;
import dev.hmacd.key.Key;
import dev.hmacd.key.KeyCheckValue;
import dev.hmacd.token.SignRequest;
import org.jspecify.annotations.Nullable;

/// Proof of a positive access decision: a key that a caller may use for an action. Only
/// [KeyAuthorizer] creates instances. Every MAC for a caller requires an instance.
///
/// @param entry registry entry of the key at the time of the decision
/// @param rules version of the access rules at the time of the decision
///   ([dev.hmacd.access.Access#version])
record AuthorizedKey(
    Key entry,
    Principal principal,
    Action action,
    Decision.Allowed decision,
    Object rules,
    KeyAuthorizer authorizer)
    implements Reauthorization {
  /// Whether the key, its aliases and the access rules are unchanged since the decision.
  boolean isCurrent() {
    return authorizer.isCurrent(this);
  }

  /// A token request for a MAC under this key. Only this method creates token requests for callers'
  /// MACs.
  ///
  /// @param check the check value of the key
  SignRequest signRequest(@Nullable KeyCheckValue check, MacRequest request, long deadlineNanos) {
    return new SignRequest(
        entry.object(), check, request.algorithm(), request.message(), deadlineNanos);
  }

  /// Decides again if the key or the access rules have changed since the decision. Returns the
  /// failure of the new decision, or null if the caller may get the answer.
  @Override
  public @Nullable Failure refusal() {
    return isCurrent() ? null : authorizer.decideAgain(this);
  }
}

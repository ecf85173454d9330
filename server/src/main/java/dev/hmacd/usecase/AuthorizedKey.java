package dev.hmacd.usecase;

import dev.hmacd.access.Action;
import dev.hmacd.access.Decision;
import dev.hmacd.access.Principal;
import dev.hmacd.key.KeyEntry;
import org.jspecify.annotations.Nullable;

/// A key that a caller may use for an action, by a positive decision. Only [KeyAuthorizer] makes
/// one, and a caller's MAC is computed only with one.
///
/// @param entry the key at the decision
/// @param rules the rules of the decision ([dev.hmacd.access.Access#version])
record AuthorizedKey(
    KeyEntry entry,
    Principal principal,
    Action action,
    Decision.Allowed decision,
    Object rules,
    KeyAuthorizer authorizer)
    implements ReleaseCheck {
  /// Whether the key, its aliases and the rules are those of the decision.
  boolean isCurrent() {
    return authorizer.isCurrent(this);
  }

  /// The failure of a new decision if this one is not current; null if the caller may have the
  /// answer.
  @Override
  public @Nullable Failure refusal() {
    return isCurrent() ? null : authorizer.decideAgain(this);
  }
}

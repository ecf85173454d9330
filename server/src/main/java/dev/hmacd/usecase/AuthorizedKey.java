package dev.hmacd.usecase;

import dev.hmacd.access.Action;
import dev.hmacd.access.Decision;
import dev.hmacd.key.Key;
import dev.hmacd.key.KeyCheckValue;
import dev.hmacd.registry.cache.Cut;
import dev.hmacd.registry.cache.Entry;
import dev.hmacd.token.SignRequest;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/// Proof of a positive access decision: a key that a caller may use for an action. Only
/// [KeyAuthorizer] creates instances. Every MAC for a caller requires an instance.
///
/// @param entry registry entry of the key at the time of the decision
/// @param cached the cache entry that held `entry`
/// @param cut the cut of the cache before the look-up of the key
/// @param calls the number of calls for which the call counts while it waits for the registry
/// @param rules version of the access rules at the time of the decision
///   ([dev.hmacd.access.Access#version])
record AuthorizedKey(
    Key entry,
    Entry cached,
    Cut cut,
    Call call,
    int calls,
    Action action,
    Decision.Allowed decision,
    Object rules,
    KeyAuthorizer authorizer)
    implements Reauthorization {
  /// Whether the key, its aliases and the access rules are unchanged since the decision.
  @Override
  public boolean isCurrent() {
    return authorizer.isCurrent(this);
  }

  /// Decides again, on the present key and the present rules. Fails with a [Refusal] if the action
  /// on the same key version is not allowed any more.
  @Override
  public CompletableFuture<Reauthorization> renew() {
    return authorizer.decideAgain(this).thenApply(renewed -> renewed);
  }

  /// A token request for a MAC under this key. Only this method creates token requests for callers'
  /// MACs.
  ///
  /// @param check the check value of the key
  SignRequest signRequest(@Nullable KeyCheckValue check, MacRequest request, long deadlineNanos) {
    return new SignRequest(
        entry.object(), check, request.algorithm(), request.message(), deadlineNanos);
  }
}

package dev.hmacd.usecase;

import com.google.errorprone.annotations.ThreadSafe;
import dev.hmacd.access.Principal;
import dev.hmacd.key.AccessKey;
import dev.hmacd.limit.Owner;
import dev.hmacd.sigv4.AccessKeySecret;
import dev.hmacd.sigv4.AccessKeySecrets;
import dev.hmacd.sigv4.SigningKey;
import dev.hmacd.sigv4.SigningScope;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;

/// Cache of the signing keys of access keys, each valid for one day. Concurrent requests for the
/// same missing signing key wait for one derivation.
@ThreadSafe
@SuppressWarnings("ThreadSafe") // All fields are thread-safe.
final class SigningKeyCache {
  private static final int MAX_SIGNING_KEYS = 10_000;

  /// Maximum number of requests that wait for one signing key. A waiting request uses memory until
  /// the token answers, even after its client disconnected.
  private static final int MAX_WAITING = 1024;

  private final AccessKeySecrets secrets;
  private final SigningScope scope;

  /// Signing keys by access key id and day. Around midnight, signatures of two days are valid.
  private final Map<String, SigningKey> signingKeys = new ConcurrentHashMap<>();

  /// Derivations in flight, by access key id and day.
  private final Map<String, Derivation> deriving = new ConcurrentHashMap<>();

  SigningKeyCache(AccessKeySecrets secrets, SigningScope scope) {
    this.secrets = secrets;
    this.scope = scope;
  }

  /// Returns the signing key of an access key for a day. The future is already complete if the
  /// cache has the signing key.
  ///
  /// @param day UTC date, as `yyyymmdd`
  /// @return a future that can fail with a [Refusal]
  /// @throws Refusal if too many requests wait for this signing key
  CompletableFuture<SigningKey> get(AccessKey accessKey, String day, long deadlineNanos) {
    String name = accessKey.id() + '/' + day;
    SigningKey known = signingKeys.get(name);
    if (known != null) {
      return CompletableFuture.completedFuture(known);
    }
    var principal = new Principal(accessKey.principal());
    var mine = new Derivation();
    // After putIfAbsent, no statement may throw before the call of the token: the entry in the map
    // would stay forever.
    Derivation others = deriving.putIfAbsent(name, mine);
    if (others != null) {
      if (others.waiting.incrementAndGet() > MAX_WAITING) {
        throw new Refusal(new Failure.TokenBusy(Failure.Bound.OF_CALLER));
      }
      return others;
    }
    var _ =
        secrets
            .derive(accessKey.id(), deadlineNanos, Owner.DAEMON)
            .thenApply(secret -> derive(principal, secret, day, name))
            .whenComplete(
                (derived, e) -> {
                  deriving.remove(name, mine);
                  if (e == null) {
                    mine.complete(derived);
                  } else {
                    mine.completeExceptionally(new Refusal(FailureMapper.ofToken(e)));
                  }
                });
    return mine;
  }

  /// The derivation of a signing key, with the number of its waiting requests.
  private static final class Derivation extends CompletableFuture<SigningKey> {
    /// Number of requests that wait for this signing key. Never decremented, because a request
    /// still waits after its client disconnected.
    private final AtomicInteger waiting = new AtomicInteger();
  }

  private SigningKey derive(Principal principal, AccessKeySecret secret, String day, String name) {
    try (secret) {
      var derived = new SigningKey(principal, secret.signingKey(day, scope));
      if (signingKeys.size() >= MAX_SIGNING_KEYS) {
        signingKeys.keySet().removeIf(each -> !each.endsWith('/' + day));
      }
      if (signingKeys.size() >= MAX_SIGNING_KEYS) {
        signingKeys.clear();
      }
      signingKeys.put(name, derived);
      return derived;
    }
  }
}

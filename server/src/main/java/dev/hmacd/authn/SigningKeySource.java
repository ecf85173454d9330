package dev.hmacd.authn;

import dev.hmacd.sigv4.SigningKey;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;

/// Finds the signing keys of access keys. Implementations must be thread-safe and must not block.
public interface SigningKeySource {
  /// The SigV4 signing key of an access key for one UTC date; empty if no active access key has the
  /// id `accessKeyId`.
  ///
  /// @param day UTC date, as `yyyymmdd`
  /// @param deadlineNanos deadline of the derivation, a value of [System#nanoTime]
  /// @return a future, which is incomplete while the token derives the signing key
  Optional<CompletableFuture<SigningKey>> find(String accessKeyId, String day, long deadlineNanos);

  /// Whether the access key exists and is active.
  boolean isActive(String accessKeyId);
}

package dev.hmacd.authn;

import dev.hmacd.sigv4.SigningKey;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;

/// Finds the signing keys of access keys. The implementation must not block, and is thread-safe.
@FunctionalInterface
public interface SigningKeySource {
  /// The signing key of an access key for a day; empty if no active access key has this id.
  ///
  /// @param day `yyyymmdd`
  /// @param deadlineNanos time limit of the derivation, in terms of [System#nanoTime]
  /// @return incomplete while the token derives the signing key
  Optional<CompletableFuture<SigningKey>> find(String accessKeyId, String day, long deadlineNanos);
}

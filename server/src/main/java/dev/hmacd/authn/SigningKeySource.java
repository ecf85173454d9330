package dev.hmacd.authn;

import dev.hmacd.sigv4.SigningKey;
import java.util.concurrent.CompletableFuture;

/// Finds access keys and their signing keys. Implementations must be thread-safe and must not
/// block.
public interface SigningKeySource {
  /// The SigV4 signing key of an access key for one UTC date.
  ///
  /// @param day UTC date, as `yyyymmdd`
  /// @param deadlineNanos deadline of the derivation, a value of [System#nanoTime]
  /// @return a future, which is incomplete while the registry reads the access key, and while the
  ///   token derives the signing key. Fails with [dev.hmacd.sigv4.SigV4Exception#unknownKey] if no
  ///   active access key has the id
  CompletableFuture<SigningKey> find(String accessKeyId, String day, long deadlineNanos);

  /// Whether the access key is known to exist and to be active, from memory alone.
  boolean isKnownActive(String accessKeyId);

  /// Whether the access key exists and is active.
  ///
  /// @return a future, which is incomplete while the registry reads the access key
  CompletableFuture<Boolean> isActive(String accessKeyId);
}

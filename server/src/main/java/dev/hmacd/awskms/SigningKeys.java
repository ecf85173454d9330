package dev.hmacd.awskms;

import java.util.Optional;
import java.util.concurrent.CompletableFuture;

/// Where the keys come from that signatures are checked with.
public interface SigningKeys {
  /// Finds the signing key of an access key for a day. Must not block. A future that is complete
  /// already is used on the spot, without a change of threads.
  ///
  /// @param accessKeyId in the form of AWS's: 16 to 128 letters, digits or underscores
  /// @param day yyyymmdd, within a day of now
  /// @param deadlineNanos in [System#nanoTime]'s terms; after it the answer is of no use
  /// @return empty when there is no such access key, or it may not be used; what it fails with is
  ///   either a [dev.hmacd.mac.Refusal] or unforeseen
  CompletableFuture<Optional<SigningKey>> find(String accessKeyId, String day, long deadlineNanos);
}

package dev.hmacd.sigv4;

import com.google.errorprone.annotations.ThreadSafe;
import dev.hmacd.key.DaemonKey;
import dev.hmacd.key.KeyCheckValue;
import dev.hmacd.key.KeyObject;
import dev.hmacd.key.MacAlgorithm;
import dev.hmacd.limit.Owner;
import dev.hmacd.token.Completion;
import dev.hmacd.token.HealthCheck;
import dev.hmacd.token.SignRequest;
import dev.hmacd.token.TokenException;
import dev.hmacd.token.TokenRouter;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/// Derives the secrets of access keys from one of the daemon's own keys. The HSM computes a MAC of
/// the access key's id, which gives the secret. No method blocks: a lane (worker thread of a token)
/// completes the future.
@ThreadSafe
@SuppressWarnings("ThreadSafe") // Its fields are volatile or thread-safe.
public final class AccessKeySecrets {
  private final TokenRouter tokens;
  private volatile @Nullable DerivationKey derivationKey;

  /// The key for the derivation of secrets, and the tokens that hold it.
  private record DerivationKey(KeyObject key, KeyCheckValue check, List<String> tokenSerials) {}

  public AccessKeySecrets(TokenRouter tokens) {
    this.tokens = tokens;
  }

  /// Sets the key for the derivation of secrets. Must be called before the first request.
  ///
  /// @param key the daemon's own key for secrets of access keys. Tokens check the key against its
  ///   known answer, because another key would derive other secrets
  /// @param tokenSerials serial numbers of the tokens that hold the key
  public void start(DaemonKey key, List<String> tokenSerials) {
    KeyCheckValue check = KeyCheckValue.of(key, HealthCheck.ALGORITHM, HealthCheck.message());
    derivationKey = new DerivationKey(key.object(), check, List.copyOf(tokenSerials));
  }

  /// Derives the secret of an access key. All failures complete the future; no exception is thrown.
  ///
  /// @param owner the principal that requested the derivation ([Completion#owner])
  /// @return the secret; fails with a [TokenException], or with an [IllegalStateException] before
  ///   [#start]
  public CompletableFuture<AccessKeySecret> derive(
      String accessKeyId, long deadlineNanos, Owner owner) {
    DerivationKey derivation = derivationKey;
    if (derivation == null) {
      return CompletableFuture.failedFuture(
          new IllegalStateException("the key for the derivation of access-key secrets is not set"));
    }
    var result = new CompletableFuture<AccessKeySecret>();
    tokens.sign(
        derivation.tokenSerials(),
        new SignRequest(
            derivation.key(),
            derivation.check(),
            MacAlgorithm.HMAC_SHA_256,
            AccessKeySecret.derivationMessage(accessKeyId),
            deadlineNanos),
        new Completion<>() {
          @Override
          public void done(byte[] mac) {
            result.complete(new AccessKeySecret(mac));
          }

          @Override
          public void failed(TokenException cause) {
            result.completeExceptionally(cause);
          }

          @Override
          public Owner owner() {
            return owner;
          }
        });
    return result;
  }
}

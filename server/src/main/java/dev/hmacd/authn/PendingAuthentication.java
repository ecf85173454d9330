package dev.hmacd.authn;

import dev.hmacd.limit.Owner;
import dev.hmacd.sigv4.SigV4;
import dev.hmacd.sigv4.SigV4Exception;
import dev.hmacd.sigv4.SigningKey;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.Executor;

/// The authentication of a signed request whose access key the registry has not read yet, or whose
/// signing key the token has not derived yet. Keeps the request in memory.
public final class PendingAuthentication implements Authentication {
  /// The issuer of all access keys: the daemon.
  private static final String ISSUER = "access-key";

  private final SigV4.UnverifiedSignature signature;
  private final CompletableFuture<SigningKey> key;

  PendingAuthentication(SigV4.UnverifiedSignature signature, CompletableFuture<SigningKey> key) {
    this.signature = signature;
    this.key = key;
  }

  /// Runs an action when the signing key is available, or will not be. The wait for the signing key
  /// references only the action, and not the request.
  public void whenReady(Runnable action, Executor executor) {
    var _ = key.whenCompleteAsync((_, _) -> action.run(), executor);
  }

  /// Verifies the signature. Blocks until the wait for the signing key has ended. Does not block in
  /// the action of [#whenReady].
  ///
  /// @return the result, never a [PendingAuthentication]
  /// @throws CompletionException if the read of the access key or the derivation failed
  public Authentication complete() {
    SigningKey derived;
    try {
      derived = key.join();
      signature.verify(derived);
    } catch (SigV4Exception e) {
      return new InvalidSignature(e);
    } catch (CompletionException e) {
      if (e.getCause() instanceof SigV4Exception unknown) {
        return new InvalidSignature(unknown);
      }
      throw e;
    }
    return new Authenticated(
        derived.principal(),
        Owner.of(ISSUER, derived.principal().name()),
        new VerifiedCredentials.AccessKey(signature.accessKeyId()));
  }
}

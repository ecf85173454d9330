package dev.hmacd.authn;

import com.google.errorprone.annotations.ThreadSafe;
import dev.hmacd.log.LogRateLimiter;
import dev.hmacd.sigv4.SigV4;
import dev.hmacd.sigv4.SigV4Exception;
import dev.hmacd.sigv4.SigningKey;
import java.security.cert.X509Certificate;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.concurrent.CompletableFuture;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Authenticates the calls of all edges: checks credentials, and returns the principal or the
/// reason for a refusal. Runs on event loops and never blocks.
@ThreadSafe
@SuppressWarnings("ThreadSafe") // All fields are thread-safe.
public final class Authenticator {
  /// Maximum length of a certificate's subject in a log line.
  private static final int MAX_SUBJECT = 200;

  private static final Logger log = LoggerFactory.getLogger(Authenticator.class);

  private final LogRateLimiter refusals = new LogRateLimiter();
  private final Clock clock;
  private final SigV4 sigV4;
  private final SigningKeySource signingKeys;

  /// @param clock the clock for the expiry of certificates
  /// @param sigV4 the parser of the signatures of signed requests
  public Authenticator(Clock clock, SigV4 sigV4, SigningKeySource signingKeys) {
    this.clock = clock;
    this.sigV4 = sigV4;
    this.signingKeys = signingKeys;
  }

  /// Checks credentials, as of now. Does not catch exceptions of the [SigningKeySource].
  ///
  /// @return the result; only a [SignedRequest] can have the result [PendingAuthentication]
  // No default branch: a new kind of credentials does not compile without a decision here.
  public Authentication authenticate(Credentials credentials) {
    return switch (credentials) {
      case ClientCertificate certificate -> check(certificate);
      case UnixPeer peer -> peer.authenticated();
      case SignedRequest request -> verify(request);
      case NoCredentials() -> Authentication.Refused.NO_CREDENTIALS;
    };
  }

  /// Whether credentials that were valid at the start of a call are known to be valid now, from
  /// memory alone: the certificate has not expired and a valid authority accepts it, or the access
  /// key is active.
  public boolean isCurrent(VerifiedCredentials credentials) {
    return switch (credentials) {
      case ClientCertificate certificate ->
          certificate.check(clock.instant()) instanceof Authentication.Authenticated;
      case UnixPeer _ -> true;
      case VerifiedCredentials.AccessKey(var id) -> signingKeys.isKnownActive(id);
    };
  }

  /// Whether credentials that were valid at the start of a call are valid now.
  ///
  /// @return a future, which is incomplete while the registry reads an access key
  public CompletableFuture<Boolean> isValid(VerifiedCredentials credentials) {
    return switch (credentials) {
      case ClientCertificate _, UnixPeer _ ->
          CompletableFuture.completedFuture(isCurrent(credentials));
      case VerifiedCredentials.AccessKey(var id) -> signingKeys.isActive(id);
    };
  }

  /// The time until the first certificate in the certification path of a client certificate
  /// expires; zero if the client certificate is not valid now.
  public Duration remaining(ClientCertificate certificate) {
    Instant now = clock.instant();
    return certificate.check(now) instanceof Authentication.Authenticated
        ? Duration.between(now, certificate.pathNotAfter())
        : Duration.ZERO;
  }

  private Authentication check(ClientCertificate certificate) {
    Authentication result = certificate.check(clock.instant());
    if (result instanceof Authentication.Refused reason) {
      long times = refusals.happened();
      if (times > 0) {
        X509Certificate leaf = certificate.leaf();
        log.atInfo()
            .addKeyValue("reason", reason)
            .addKeyValue("subject", abbreviated(leaf.getSubjectX500Principal().getName()))
            .addKeyValue("serial", leaf.getSerialNumber().toString(16))
            .addKeyValue("times", times)
            .log("Calls refused: client certificate not accepted");
      }
    }
    return result;
  }

  private static String abbreviated(String subject) {
    return subject.length() <= MAX_SUBJECT ? subject : subject.substring(0, MAX_SUBJECT) + "...";
  }

  /// Reads the signature before the look-up of the access key, as AWS does: the first invalid part
  /// of a request determines the error.
  private Authentication verify(SignedRequest signed) {
    SigV4.UnverifiedSignature signature;
    try {
      signature = sigV4.read(signed.request());
    } catch (SigV4Exception e) {
      return new Authentication.InvalidSignature(e);
    }
    CompletableFuture<SigningKey> key =
        signingKeys.find(signature.accessKeyId(), signature.day(), signed.deadlineNanos());
    var pending = new PendingAuthentication(signature, key);
    return key.isDone() ? pending.complete() : pending;
  }
}

package dev.hmacd.authn;

import dev.hmacd.access.Principal;
import dev.hmacd.sigv4.SigV4Exception;

/// The result of an authentication: the principal of the caller, or the reason for a refusal.
public sealed interface Authentication
    permits Authentication.Authenticated,
        Authentication.Refused,
        Authentication.InvalidSignature,
        PendingSignature {
  /// The credentials were valid at the check.
  ///
  /// @param credentials for later checks by [Authenticator#isStillValid]
  record Authenticated(Principal principal, VerifiedCredentials credentials)
      implements Authentication {}

  /// The credentials of the connection are missing or not valid.
  enum Refused implements Authentication {
    /// The connection has no credentials.
    NO_CREDENTIALS,
    /// The client certificate names no principal.
    NO_PRINCIPAL,
    /// A certificate in the client's certificate chain has expired.
    CERTIFICATE_EXPIRED,
    /// The currently trusted authorities do not accept the client's certificate chain.
    CERTIFICATE_NOT_TRUSTED
  }

  /// The signature of the request is missing or not valid, or its access key does not exist.
  ///
  /// @param error the exception with AWS's error code and message
  record InvalidSignature(SigV4Exception error) implements Authentication {}
}

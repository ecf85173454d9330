package dev.hmacd.authn;

import dev.hmacd.access.Principal;
import dev.hmacd.limit.Owner;
import dev.hmacd.sigv4.SigV4Exception;

/// The result of an authentication: the principal of the caller, or the reason for a refusal.
public sealed interface Authentication
    permits Authentication.Authenticated,
        Authentication.Refused,
        Authentication.InvalidSignature,
        PendingAuthentication {
  /// The credentials were valid at the check.
  ///
  /// @param owner the principal, with the issuer of the credentials
  /// @param credentials for later checks by [Authenticator#isCurrent]
  record Authenticated(Principal principal, Owner owner, VerifiedCredentials credentials)
      implements Authentication {}

  /// The credentials of the connection are missing or not valid. Log lines have the constant as the
  /// reason; callers do not get it.
  enum Refused implements Authentication {
    /// The connection has no credentials.
    NO_CREDENTIALS,
    /// The client certificate has no URI SAN with a SPIFFE ID, no DNS SAN and no single CN.
    NO_NAME,
    /// The preferred name in the client certificate is not a valid name of its kind, or the
    /// certificate has a second URI SAN. The next kind of name does not replace it.
    MALFORMED_NAME,
    /// An extension of the client certificate cannot be parsed.
    MALFORMED_EXTENSION,
    /// The client certificate is a CA certificate (basicConstraints CA:TRUE).
    AUTHORITY_CERTIFICATE,
    /// The client certificate has an extendedKeyUsage without clientAuth.
    NOT_FOR_CLIENTS,
    /// The client certificate has a keyUsage without digitalSignature.
    NOT_FOR_SIGNATURES,
    /// A signature in the chain is not made with SHA-2, SHA-3 or EdDSA.
    WEAK_SIGNATURE,
    /// A key in the chain is not RSA with 2048 bits, EC with 256 bits, EdDSA, or stronger.
    WEAK_KEY,
    /// A certificate in the client's certificate chain has expired.
    CERTIFICATE_EXPIRED,
    /// The currently valid authorities do not accept the client's certificate chain.
    CERTIFICATE_NOT_TRUSTED
  }

  /// The signature of the request is missing or not valid, or its access key does not exist.
  ///
  /// @param error the exception with AWS's error code and message
  record InvalidSignature(SigV4Exception error) implements Authentication {}
}

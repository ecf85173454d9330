package dev.hmacd.authn;

/// Credentials after a successful authentication. [Authenticator#isCurrent] checks them again later
/// in the call.
public sealed interface VerifiedCredentials
    permits ClientCertificate, UnixPeer, VerifiedCredentials.AccessKey {
  /// An access key whose signature of the request was verified.
  ///
  /// @param id access key id
  record AccessKey(String id) implements VerifiedCredentials {}
}

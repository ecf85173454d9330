package dev.hmacd.authn;

/// The credentials of a call, from its connection or from its request. An edge reads the
/// credentials, and the [Authenticator] checks the credentials.
public sealed interface Credentials
    permits ClientCertificate, NoCredentials, SignedRequest, UnixPeer {}

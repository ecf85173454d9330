package dev.hmacd.authn;

/// The credentials of a call, from its connection or from its request. An edge reads them, and the
/// [Authenticator] checks them.
public sealed interface Credentials
    permits ClientCertificate, NoCredentials, SignedRequest, UnixPeer {}

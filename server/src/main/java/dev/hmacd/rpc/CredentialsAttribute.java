package dev.hmacd.rpc;

import dev.hmacd.authn.Credentials;
import dev.hmacd.authn.NoCredentials;
import io.grpc.Attributes;

/// The credentials of gRPC calls. A call has the credentials of its connection, which gRPC passes
/// in the attributes of the transport.
final class CredentialsAttribute {
  /// Attribute of a transport: the credentials of its connection.
  static final Attributes.Key<Credentials> KEY = Attributes.Key.create("hmacd-credentials");

  private static final Credentials NONE = new NoCredentials();

  private CredentialsAttribute() {}

  /// The credentials in the attributes of a transport or a call.
  static Credentials of(Attributes attributes) {
    Credentials credentials = attributes.get(KEY);
    return credentials == null ? NONE : credentials;
  }
}

package dev.hmacd.rpc;

import dev.hmacd.authn.Credentials;
import dev.hmacd.authn.NoCredentials;
import io.grpc.Attributes;

/// The transport attribute with the credentials of a connection. gRPC passes the attribute to each
/// call of the connection.
final class TransportCredentials {
  /// Key of the credentials in the attributes of a transport or a call.
  static final Attributes.Key<Credentials> KEY = Attributes.Key.create("hmacd-credentials");

  private static final Credentials NONE = new NoCredentials();

  private TransportCredentials() {}

  /// The credentials in the attributes of a transport or a call.
  static Credentials of(Attributes attributes) {
    Credentials credentials = attributes.get(KEY);
    return credentials == null ? NONE : credentials;
  }
}

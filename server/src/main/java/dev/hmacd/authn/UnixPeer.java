package dev.hmacd.authn;

import com.google.errorprone.annotations.Immutable;
import dev.hmacd.access.Principal;

/// The process at the other end of a Unix socket. The kernel reports the user of the process
/// (`SO_PEERCRED`), so the credentials are valid until the connection ends.
@Immutable
@SuppressWarnings("Immutable") // Records of immutable values.
public final class UnixPeer implements Credentials, VerifiedCredentials {
  private final Authentication.Authenticated authenticated;

  /// @param uid effective user id of the process at its connect(2)
  public UnixPeer(int uid) {
    authenticated = new Authentication.Authenticated(Principal.uid(uid), this);
  }

  public Principal principal() {
    return authenticated.principal();
  }

  Authentication authenticated() {
    return authenticated;
  }
}

package dev.hmacd.authn;

import com.google.errorprone.annotations.Immutable;
import dev.hmacd.access.Principal;
import dev.hmacd.limit.Owner;

/// The process at the other end of a Unix socket. The kernel reports the user of the process
/// (`SO_PEERCRED`), so the credentials are valid until the connection ends.
@Immutable
@SuppressWarnings("Immutable") // Records of immutable values.
public final class UnixPeer implements Credentials, VerifiedCredentials {
  /// The issuer of all user ids: the kernel.
  private static final String ISSUER = "uid";

  private final Authentication.Authenticated authenticated;

  /// @param uid effective user id of the process at its connect(2)
  public UnixPeer(int uid) {
    Principal principal = Principal.uid(uid);
    authenticated =
        new Authentication.Authenticated(principal, Owner.of(ISSUER, principal.name()), this);
  }

  Authentication authenticated() {
    return authenticated;
  }
}

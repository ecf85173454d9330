package dev.hmacd.limit;

/// The principal for which a token works, with the levels that share the capacity of the token. A
/// level's share does not grow with the number of names below it.
///
/// @param account the account of the principal
/// @param issuer the authority that assigns the principal's name: a trust anchor of client
///   certificates, the kernel for users of a Unix socket, or the daemon for access keys
/// @param principal name of the principal
public record Owner(String account, String issuer, String principal) {
  /// The daemon itself, with an account of its own.
  public static final Owner DAEMON = new Owner("daemon", "daemon", "daemon");

  /// The daemon serves one account.
  private static final String ACCOUNT = "account";

  /// The owner of a principal's work.
  public static Owner of(String issuer, String principal) {
    return new Owner(ACCOUNT, issuer, principal);
  }
}

package dev.hmacd.limit;

/// The principal of a token operation, with its issuer and account. Accounts share the token
/// equally, then the issuers of an account, then the principals of an issuer: more principals give
/// an issuer no larger share.
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

  /// The name of the principal, for log lines.
  @Override
  public String toString() {
    return principal;
  }
}

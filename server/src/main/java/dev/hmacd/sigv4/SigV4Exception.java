package dev.hmacd.sigv4;

/// Exception for a request without a valid signature. Has no stack trace, because clients can cause
/// the exception at a high rate.
public final class SigV4Exception extends RuntimeException {
  private static final long serialVersionUID = 1;

  private static final String INVALID_TOKEN =
      "The security token included in the request is invalid.";

  /// Kinds of errors, one for each error code of AWS.
  public enum Kind {
    /// The request has no authentication data.
    MISSING_AUTHENTICATION_TOKEN,
    /// The authentication data is malformed.
    INCOMPLETE_SIGNATURE,
    /// The signature is wrong, not current, or for another service or region.
    INVALID_SIGNATURE,
    /// The access key does not exist, or the request has a session token.
    UNRECOGNIZED_CLIENT
  }

  private final Kind kind;
  private final String text;

  private SigV4Exception(Kind kind, String text) {
    super(text, null, false, false);
    this.kind = kind;
    this.text = text;
  }

  public Kind kind() {
    return kind;
  }

  /// The error message, in the wording of AWS.
  public String text() {
    return text;
  }

  /// An exception for an access key that does not exist.
  public static SigV4Exception unknownKey() {
    return new SigV4Exception(Kind.UNRECOGNIZED_CLIENT, INVALID_TOKEN);
  }

  static SigV4Exception sessionToken() {
    return new SigV4Exception(
        Kind.UNRECOGNIZED_CLIENT,
        INVALID_TOKEN + " Session tokens are not accepted here: use a long-lived access key.");
  }

  static SigV4Exception missing() {
    return new SigV4Exception(Kind.MISSING_AUTHENTICATION_TOKEN, "Missing Authentication Token");
  }

  static SigV4Exception incomplete(String text) {
    return new SigV4Exception(Kind.INCOMPLETE_SIGNATURE, text);
  }

  static SigV4Exception invalid(String text) {
    return new SigV4Exception(Kind.INVALID_SIGNATURE, text);
  }

  /// An exception for a signature that does not match the request.
  static SigV4Exception mismatch() {
    return invalid(
        "The request signature we calculated does not match the signature you provided. Check"
            + " your AWS Secret Access Key and signing method. Consult the service documentation"
            + " for details.");
  }
}

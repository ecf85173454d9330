package dev.hmacd.awskms;

import dev.hmacd.sigv4.SigV4Exception;

/// Maps a [SigV4Exception] to the error of AWS.
final class SignatureErrors {
  /// The error of AWS for an access key that does not exist.
  static final AwsError UNKNOWN_KEY = of(SigV4Exception.unknownKey());

  private SignatureErrors() {}

  static AwsError of(SigV4Exception e) {
    return AwsError.of(
        switch (e.kind()) {
          case MISSING_AUTHENTICATION_TOKEN -> "MissingAuthenticationTokenException";
          case INCOMPLETE_SIGNATURE -> "IncompleteSignatureException";
          case INVALID_SIGNATURE -> "InvalidSignatureException";
          case UNRECOGNIZED_CLIENT -> "UnrecognizedClientException";
        },
        e.text());
  }
}

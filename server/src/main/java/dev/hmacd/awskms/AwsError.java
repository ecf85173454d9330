package dev.hmacd.awskms;

import org.jspecify.annotations.Nullable;

/// What a caller sees of a request that did not succeed, in AWS's words.
///
/// @param code AWS's name of it, by which clients tell errors apart
/// @param message null where AWS sends none
record AwsError(int status, String code, @Nullable String message) {
  /// What is the caller's doing: AWS answers all of it with 400 on the wire, whatever status its
  /// model declares.
  static AwsError of(String code, @Nullable String message) {
    return new AwsError(400, code, message);
  }

  static AwsError validation(String message) {
    return of("ValidationException", message);
  }

  /// The request's body is not what the operation's model says. AWS sends no text.
  static AwsError serialization() {
    return of("SerializationException", null);
  }

  static AwsError unsupported(@Nullable String message) {
    return of("UnsupportedOperationException", message);
  }

  static AwsError throttled() {
    return of("ThrottlingException", "Rate exceeded");
  }
}

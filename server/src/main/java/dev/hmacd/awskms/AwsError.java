package dev.hmacd.awskms;

import dev.hmacd.usecase.Failure;
import org.jspecify.annotations.Nullable;

/// An error response, with the code and the message of AWS.
///
/// @param code the error code of AWS, by which clients distinguish errors
/// @param message error message; null if AWS sends none
record AwsError(int status, String code, @Nullable String message) {
  /// The body of the response.
  byte[] json() {
    return JsonWriter.object(
        json -> {
          json.writeStringField("__type", code);
          if (message != null) {
            json.writeStringField("message", message);
          }
        });
  }

  /// An error of the caller, with status 400. AWS sends status 400 for errors of the caller, even
  /// if its model declares another status.
  static AwsError of(String code, @Nullable String message) {
    return new AwsError(400, code, message);
  }

  /// The [Failure] for this error in metrics and logs, which all edges share.
  Failure failure() {
    return switch (code) {
      case "IncompleteSignatureException",
          "InvalidSignatureException",
          "MissingAuthenticationTokenException",
          "UnrecognizedClientException" ->
          new Failure.Unauthenticated();
      case "UnknownOperationException" -> new Failure.MethodNotFound();
      case "InvalidGrantTokenException" -> new Failure.GrantTokensNotServed();
      case "ThrottlingException" -> new Failure.MemoryBusy(Failure.Bound.OF_CALLER);
      default -> new Failure.InvalidField("request", message == null ? code : message);
    };
  }

  static AwsError validation(String message) {
    return of("ValidationException", message);
  }

  /// The error for a request body that violates the types of the operation's model. AWS sends this
  /// error without a message.
  static AwsError serialization() {
    return of("SerializationException", null);
  }

  static AwsError unsupported(@Nullable String message) {
    return of("UnsupportedOperationException", message);
  }

  static AwsError throttled() {
    return of("ThrottlingException", "Rate exceeded");
  }

  /// As [#throttled], but with a message for a principal that has its maximum number of requests in
  /// flight.
  static AwsError throttledCaller() {
    return of(
        "ThrottlingException",
        "Rate exceeded: too many requests of this client are in flight. Wait for answers before"
            + " you send more.");
  }

  /// As [#throttledCaller], but for the queue of a token: the principals of one authority share its
  /// places. The daemon is the authority of all principals with access keys.
  static AwsError throttledAtToken() {
    return of(
        "ThrottlingException",
        "Rate exceeded: too many requests of this client, or of other clients with access keys,"
            + " are in flight. Wait for answers before you send more.");
  }
}

package dev.hmacd.awskms;

import dev.hmacd.http.HttpError;

/// Maps an [HttpError] to the error of AWS.
final class HttpErrors {
  private HttpErrors() {}

  // No default branch: a new HttpError does not compile until this switch maps it to an error code.
  static AwsError of(HttpError error) {
    return switch (error) {
      case MALFORMED -> badRequest(error, "The request is not well-formed HTTP.");
      case INVALID_HOST -> badRequest(error, "The request must have exactly one valid host.");
      case TRAILERS -> badRequest(error, "Trailer fields are not supported.");
      case TIMEOUT -> of(error, "RequestTimeoutException", "The request was not complete in time.");
      case BODY_TOO_LONG ->
          of(error, "RequestEntityTooLargeException", "The request's body is too long.");
      case TARGET_TOO_LONG ->
          of(error, "RequestUriTooLongException", "The request's target is too long.");
      case EXPECTATION ->
          of(error, "ExpectationFailedException", "Only 100-continue is supported in Expect.");
      case HEADERS_TOO_LONG ->
          of(
              error,
              "RequestHeaderFieldsTooLargeException",
              "The request's header fields are too long.");
      case BUFFER_LIMIT ->
          of(
              error,
              "ServiceUnavailableException",
              "The memory for incoming requests is full. Retry later.");
      case REQUEST_LIMIT -> AwsError.throttled();
      case VERSION ->
          of(
              error,
              "HttpVersionNotSupportedException",
              "Only HTTP/1.1 and HTTP/2 are supported: a proxy must not use HTTP/1.0 (nginx:"
                  + " proxy_http_version 1.1).");
    };
  }

  private static AwsError badRequest(HttpError error, String message) {
    return of(error, "BadRequestException", message);
  }

  private static AwsError of(HttpError error, String code, String message) {
    return new AwsError(error.status(), code, message);
  }
}

package dev.hmacd.http;

import dev.hmacd.awskms.AwsError;

/// Errors of HTTP requests that are refused before authentication.
final class HttpErrors {
  static final AwsError MALFORMED =
      AwsError.of("BadRequestException", "The request is not well-formed HTTP.");
  static final AwsError BAD_HOST =
      AwsError.of("BadRequestException", "The request must name one host.");
  static final AwsError TRAILERS =
      AwsError.of("BadRequestException", "Fields after the body are not taken.");
  static final AwsError TIMEOUT =
      new AwsError(408, "RequestTimeoutException", "The request did not come whole in time.");
  static final AwsError BODY_TOO_LONG =
      new AwsError(413, "RequestEntityTooLargeException", "The request's body is too long.");
  static final AwsError TARGET_TOO_LONG =
      new AwsError(414, "RequestUriTooLongException", "The request's target is too long.");
  static final AwsError EXPECTATION =
      new AwsError(417, "ExpectationFailedException", "Nothing but 100-continue can be expected.");
  static final AwsError HEADERS_TOO_LONG =
      new AwsError(
          431, "RequestHeaderFieldsTooLargeException", "The request's header fields are too long.");
  static final AwsError NO_ROOM =
      new AwsError(503, "ServiceUnavailableException", "Too many requests are coming in.");
  static final AwsError VERSION =
      new AwsError(505, "HttpVersionNotSupportedException", "HTTP/1.1 and HTTP/2 are spoken here.");

  private HttpErrors() {}
}

package dev.hmacd.http;

/// Reasons for which the server refuses a request before the application handles it.
public enum HttpError {
  /// The request is not well-formed HTTP.
  MALFORMED(400),
  /// The request does not name exactly one host.
  INVALID_HOST(400),
  /// The request has header fields after its body.
  TRAILERS(400),
  /// The request was not complete within its time limit.
  TIMEOUT(408),
  /// The body is longer than its limit.
  BODY_TOO_LONG(413),
  /// The request line is longer than its limit.
  TARGET_TOO_LONG(414),
  /// The Expect field is not `100-continue`.
  EXPECTATION(417),
  /// The header fields exceed the limit of their total size or of their number.
  HEADERS_TOO_LONG(431),
  /// The buffered request bodies of the caller, or of all callers together, have reached their
  /// limit.
  BUFFER_LIMIT(503),
  /// The number of requests in flight has reached its limit.
  REQUEST_LIMIT(503),
  /// The HTTP version of the request line is not HTTP/1.1.
  VERSION(505);

  private final int status;

  HttpError(int status) {
    this.status = status;
  }

  /// The HTTP status code (RFC 9110, section 15, and RFC 6585). An application may answer with
  /// another status code.
  public int status() {
    return status;
  }
}

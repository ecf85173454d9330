package dev.hmacd.http;

import com.google.errorprone.annotations.Immutable;
import io.netty.util.AsciiString;

/// Fixed parts of an application's requests and responses: the request method, the response content
/// type, and the name of the response header field for request ids.
@Immutable
@SuppressWarnings("Immutable") // An AsciiString does not change.
public final class HttpProfile {
  private final String method;
  private final AsciiString allow;
  private final AsciiString contentType;
  private final AsciiString requestIdName;
  private final AsciiString lowercaseRequestIdName;

  /// @param method the only method that the application serves. A response with status 405 names
  ///   this method in the header field `Allow`. An HTTP/1.1 connection is closed after a request
  ///   with another method.
  /// @param contentType content type of all responses
  /// @param requestIdName name of the response header field with [Response#requestId]
  public HttpProfile(String method, String contentType, String requestIdName) {
    this.method = method;
    this.allow = AsciiString.of(method);
    this.contentType = AsciiString.of(contentType);
    this.requestIdName = AsciiString.of(requestIdName);
    this.lowercaseRequestIdName = this.requestIdName.toLowerCase();
  }

  boolean serves(String requestMethod) {
    return requestMethod.equals(method);
  }

  /// The value of `Allow` (RFC 9110, section 10.2.1).
  AsciiString allow() {
    return allow;
  }

  AsciiString contentType() {
    return contentType;
  }

  /// Name of the header field for request ids in HTTP/1.1.
  AsciiString requestIdName() {
    return requestIdName;
  }

  /// Name of the header field for request ids in HTTP/2: in lowercase (RFC 9113, section 8.2.1).
  AsciiString lowercaseRequestIdName() {
    return lowercaseRequestIdName;
  }
}

package dev.hmacd.awskms;

import dev.hmacd.usecase.RequestIds;

/// The response to a request, over HTTP/1.1 or HTTP/2.
///
/// @param body empty for operations without an output
/// @param requestId id for the caller, and for the log of an unexpected error
/// @param last whether the connection (HTTP/1.1) or the stream (HTTP/2) ends with the response,
///   because further input is ambiguous or ignored
record Response(
    int status,
    @SuppressWarnings("ArrayRecordComponent") byte[] body,
    String requestId,
    boolean last) {
  static final String CONTENT_TYPE = "application/x-amz-json-1.1";

  /// An error response to a request that did not reach its operation.
  static Response of(AwsError error, boolean last) {
    return new Response(error.status(), body(error), RequestIds.next(), last);
  }

  static byte[] body(AwsError error) {
    return Json.object(
        json -> {
          json.writeStringField("__type", error.code());
          if (error.message() != null) {
            json.writeStringField("message", error.message());
          }
        });
  }
}

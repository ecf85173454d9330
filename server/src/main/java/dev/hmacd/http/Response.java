package dev.hmacd.http;

import dev.hmacd.awskms.AwsError;
import dev.hmacd.awskms.Json;
import java.util.UUID;
import java.util.concurrent.ThreadLocalRandom;

/// The response to a request, over HTTP/1.1 or HTTP/2.
///
/// @param body empty for operations without an output
/// @param requestId id for the caller, and for the log of an unexpected error
/// @param last whether the connection (HTTP/1.1) or the stream (HTTP/2) ends with the response,
///   because further input is ambiguous or ignored
public record Response(
    int status,
    @SuppressWarnings("ArrayRecordComponent") byte[] body,
    String requestId,
    boolean last) {
  static final String CONTENT_TYPE = "application/x-amz-json-1.1";

  /// An error response to a request that did not reach its operation.
  public static Response of(AwsError error, boolean last) {
    return new Response(error.status(), body(error), newRequestId(), last);
  }

  public static byte[] body(AwsError error) {
    return Json.object(
        json -> {
          json.writeStringField("__type", error.code());
          if (error.message() != null) {
            json.writeStringField("message", error.message());
          }
        });
  }

  /// A UUID. It need not be unpredictable, so the random numbers are not cryptographically secure.
  public static String newRequestId() {
    var random = ThreadLocalRandom.current();
    long high = (random.nextLong() & ~0xf000L) | 0x4000L; // Version 4, RFC 9562.
    long low = (random.nextLong() & ~(3L << 62)) | (1L << 63);
    return new UUID(high, low).toString();
  }
}

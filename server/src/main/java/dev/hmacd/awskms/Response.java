package dev.hmacd.awskms;

import java.util.UUID;
import java.util.concurrent.ThreadLocalRandom;

/// What goes back for a request, over whatever version of HTTP.
///
/// @param body empty for operations without an output
/// @param requestId told to the caller, and to the log when something unforeseen happened
/// @param last whether the connection ends with it: what comes after the request cannot be trusted
///   or is not wanted
record Response(
    int status,
    @SuppressWarnings("ArrayRecordComponent") byte[] body,
    String requestId,
    boolean last) {
  static final String CONTENT_TYPE = "application/x-amz-json-1.1";

  /// An answer that has nothing to do with an operation: the request never got that far.
  static Response of(AwsError error, boolean last) {
    return new Response(error.status(), body(error), newRequestId(), last);
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

  /// A UUID: not to be guessed is no property of these, so no secure random numbers are spent.
  static String newRequestId() {
    var random = ThreadLocalRandom.current();
    long high = (random.nextLong() & ~0xf000L) | 0x4000L; // Version 4, RFC 9562.
    long low = (random.nextLong() & ~(3L << 62)) | (1L << 63);
    return new UUID(high, low).toString();
  }
}

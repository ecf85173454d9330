package dev.hmacd.http;

/// The response to a request, over HTTP/1.1 or HTTP/2.
///
/// @param body may be empty
/// @param requestId id of the request, for the client
public record Response(
    int status, @SuppressWarnings("ArrayRecordComponent") byte[] body, String requestId) {}

package dev.hmacd.http;

import dev.hmacd.transport.Connections;

/// State that all connections of an [HttpServer] share.
///
/// @param watchdog watchdog of slow requests and idle connections
record ServerContext(
    HttpLimits limits,
    HttpProfile profile,
    HttpHandler handler,
    RequestBounds bounds,
    Connections connections,
    ConnectionWatchdog watchdog) {
  /// Maximum number of header fields of a request. Each header field costs time, and no client
  /// needs this number of header fields.
  static final int MAX_HEADER_FIELDS = 100;
}

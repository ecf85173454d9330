package dev.hmacd.http;

import dev.hmacd.transport.Connections;

/// State that all connections share.
///
/// @param watchdog watchdog of slow requests and idle connections
record ServerState(
    HttpLimits limits,
    HttpProfile profile,
    HttpHandler handler,
    RequestBounds bounds,
    Connections connections,
    ConnectionWatchdog watchdog) {
  /// Maximum number of header fields of a request. Each field costs time, and no client needs as
  /// many.
  static final int MAX_HEADER_FIELDS = 100;
}

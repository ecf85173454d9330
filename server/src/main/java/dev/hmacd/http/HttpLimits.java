package dev.hmacd.http;

import java.time.Duration;

/// Limits of an [HttpServer].
///
/// @param maxHeaderBytes maximum size of a request line, and of all header fields of a request
/// @param maxBodyBytes maximum size of the body of one request
/// @param maxBufferedBytes maximum total size of the bodies of all requests in flight
/// @param maxRequests maximum number of requests in flight of all connections
/// @param maxRequestsPerConnection maximum number of requests in flight of one connection
/// @param maxConnections maximum number of authenticated connections
/// @param maxUnauthenticated maximum number of unauthenticated connections, in addition to
///   `maxConnections`
/// @param handshake time limit of a TLS handshake
/// @param request time limit for receiving a complete request
/// @param idle time limit of a connection without a request in flight
public record HttpLimits(
    int maxHeaderBytes,
    int maxBodyBytes,
    int maxBufferedBytes,
    int maxRequests,
    int maxRequestsPerConnection,
    int maxConnections,
    int maxUnauthenticated,
    Duration handshake,
    Duration request,
    Duration idle) {}

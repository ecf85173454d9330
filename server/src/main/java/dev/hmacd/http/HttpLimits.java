package dev.hmacd.http;

import java.time.Duration;

/// Limits of an [HttpServer].
///
/// @param maxHeaderBytes of a request line, and of all header fields of a request
/// @param maxBodyBytes of the body of one request
/// @param maxBufferedBytes of the bodies of all unanswered requests
/// @param maxRequests unanswered requests of all connections
/// @param maxRequestsPerConnection unanswered requests of one connection
/// @param maxConnections authenticated connections
/// @param maxUnauthenticated unauthenticated connections, in addition to `maxConnections`
/// @param handshake time limit of a TLS handshake
/// @param request time limit for receiving a complete request
/// @param idle time limit of a connection without a request
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

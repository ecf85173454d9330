/// An HTTP/1.1 and HTTP/2 server: connections, requests, responses and their bounds. The
/// application ([dev.hmacd.http.HttpHandler]) has the meaning of requests, and the bodies of
/// errors.
@NullMarked
package dev.hmacd.http;

import org.jspecify.annotations.NullMarked;

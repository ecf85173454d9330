/// An HTTP/1.1 and HTTP/2 server: connections, requests, responses and their limits. The
/// application ([dev.hmacd.http.HttpHandler]) interprets requests, and formats the bodies of
/// errors.
@NullMarked
package dev.hmacd.http;

import org.jspecify.annotations.NullMarked;

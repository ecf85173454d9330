/// An HTTP/1.1 and HTTP/2 server: connections, requests, responses and their bounds.
@NullMarked
package dev.hmacd.http;

import org.jspecify.annotations.NullMarked;

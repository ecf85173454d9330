/// Shared parts of all edges: event loops, bounds on connections, and TLS.
@NullMarked
package dev.hmacd.transport;

import org.jspecify.annotations.NullMarked;

/// The gRPC edge: protobuf to the domain and back, connections, and TLS.
@NullMarked
package dev.hmacd.rpc;

import org.jspecify.annotations.NullMarked;

/// The gRPC edge: protobuf to the domain and back.
@NullMarked
package dev.hmacd.rpc;

import org.jspecify.annotations.NullMarked;

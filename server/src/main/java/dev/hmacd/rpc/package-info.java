/// The gRPC edge: listeners, services, and the conversion of protobuf messages to the domain and
/// back.
@NullMarked
package dev.hmacd.rpc;

import org.jspecify.annotations.NullMarked;

/// The gRPC edge: listeners, services, and the conversion between protobuf messages and domain
/// types.
@NullMarked
package dev.hmacd.rpc;

import org.jspecify.annotations.NullMarked;

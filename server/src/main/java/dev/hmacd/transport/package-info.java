/// Transport code that the gRPC edge and the AWS KMS edge share: event loops, limits on connections
/// and their memory, and TLS.
@NullMarked
package dev.hmacd.transport;

import org.jspecify.annotations.NullMarked;

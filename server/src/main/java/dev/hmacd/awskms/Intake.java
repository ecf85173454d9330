package dev.hmacd.awskms;

import dev.hmacd.config.Config;
import dev.hmacd.transport.Connections;
import java.util.function.BiConsumer;

/// What all connections have in common.
///
/// @param requests takes those that have come whole; on the event loop
/// @param watch looks after those that are slow or idle
record Intake(
    Config.AwsLimits limits,
    BiConsumer<Request, Exchange> requests,
    Room room,
    Connections connections,
    Watch watch) {
  /// More header fields than any client sends; each costs time to look at.
  static final int MAX_HEADER_FIELDS = 100;
}

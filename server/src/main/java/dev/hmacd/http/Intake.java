package dev.hmacd.http;

import dev.hmacd.config.Config;
import dev.hmacd.transport.Connections;
import java.util.function.BiConsumer;

/// State that all connections share.
///
/// @param requests handler of complete requests, called on the event loop
/// @param watch watchdog of slow requests and idle connections
public record Intake(
    Config.AwsLimits limits,
    BiConsumer<Request, Exchange> requests,
    Room room,
    Connections connections,
    Watch watch) {
  /// Maximum number of header fields, above that of any client. Each field costs time.
  public static final int MAX_HEADER_FIELDS = 100;
}

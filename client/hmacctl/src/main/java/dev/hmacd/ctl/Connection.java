package dev.hmacd.ctl;

import dev.hmacd.client.HmacdClient;
import dev.hmacd.client.HmacdClientBuilder;
import java.math.BigDecimal;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

/// The settings of the connection to the daemon: options, with defaults from environment variables.
final class Connection {
  private static final Option TARGET =
      Option.optional(
          "--target",
          "HOST:PORT",
          "The daemon's address, for mutual TLS. Calls alternate between several addresses,"
              + " separated by commas. Or unix:/path for a Unix socket. Default: HMACD_TARGET.");
  private static final Option SOCKET =
      Option.optional(
          "--socket",
          "PATH",
          "The daemon's Unix domain socket, instead of --target."
              + " Default: HMACD_SOCKET, if HMACD_TARGET is not set.");
  private static final Option CA =
      Option.optional(
          "--ca", "FILE", "PEM file: authorities of the daemon's certificate. Default: HMACD_CA.");
  private static final Option CERT =
      Option.optional(
          "--cert", "FILE", "PEM file: the client's certificate chain. Default: HMACD_CERT.");
  private static final Option KEY =
      Option.optional(
          "--key",
          "FILE",
          "PEM file: the client's private key, not encrypted. Default: HMACD_KEY.");
  private static final Option TIMEOUT =
      Option.optional(
          "--timeout",
          "SECONDS",
          "The time limit of a call, with its retries, such as 0.5. Default: 5.");

  static final List<Option> OPTIONS = List.of(TARGET, SOCKET, CA, CERT, KEY, TIMEOUT);

  private final Arguments arguments;
  private final Map<String, String> environment;

  Connection(Arguments arguments, Map<String, String> environment) {
    this.arguments = arguments;
    this.environment = environment;
  }

  /// Creates the client, which connects at its first call.
  ///
  /// @throws UsageException if options are missing or contradict each other
  HmacdClient open() {
    HmacdClientBuilder client =
        HmacdClient.builder().maxMessageBytes(MacCommands.MAX_MESSAGE_BYTES);
    String target = target();
    client.target(target.split(",", -1));
    if (Stream.of(target.split(",", -1)).anyMatch(one -> !one.startsWith("unix:"))) {
      client.tls(file(CA, "HMACD_CA"), file(CERT, "HMACD_CERT"), file(KEY, "HMACD_KEY"));
    } else if (arguments.has(CA) || arguments.has(CERT) || arguments.has(KEY)) {
      throw new UsageException("a Unix socket does not use TLS: omit --ca, --cert and --key");
    }
    arguments.find(TIMEOUT).ifPresent(seconds -> client.deadlineAfter(timeout(seconds)));
    return client.build();
  }

  private String target() {
    if (arguments.has(SOCKET) && arguments.has(TARGET)) {
      throw new UsageException("use --target or --socket, not both");
    }
    return arguments
        .find(TARGET)
        .or(() -> arguments.find(SOCKET).map(Connection::unixTarget))
        .or(() -> variable("HMACD_TARGET"))
        .or(() -> variable("HMACD_SOCKET").map(Connection::unixTarget))
        .orElseThrow(
            () ->
                new UsageException(
                    "no daemon address: use --target or --socket, or set HMACD_TARGET or"
                        + " HMACD_SOCKET"));
  }

  private static String unixTarget(String socket) {
    return "unix:" + Path.of(socket).toAbsolutePath();
  }

  private Path file(Option option, String variable) {
    return arguments
        .find(option)
        .or(() -> variable(variable))
        .map(Path::of)
        .orElseThrow(() -> new UsageException("TLS requires " + option.name() + " or " + variable));
  }

  private Optional<String> variable(String name) {
    return Optional.ofNullable(environment.get(name)).filter(value -> !value.isEmpty());
  }

  private static Duration timeout(String seconds) {
    try {
      var nanos = new BigDecimal(seconds).movePointRight(9).toBigInteger();
      if (nanos.signum() > 0 && nanos.bitLength() < Long.SIZE) {
        return Duration.ofNanos(nanos.longValue());
      }
    } catch (NumberFormatException e) {
      // The exception below has the error message.
    }
    throw new UsageException("--timeout must be a number of seconds above 0: " + seconds);
  }
}

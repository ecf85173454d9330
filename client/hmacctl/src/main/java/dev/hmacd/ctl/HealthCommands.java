package dev.hmacd.ctl;

import dev.hmacd.client.HealthStatus;
import dev.hmacd.client.HmacdClient;
import java.util.List;
import java.util.Optional;

/// The command `health`.
final class HealthCommands {
  private static final Option SERVICE =
      Option.optional(
          "--service",
          "NAME",
          "A gRPC service, such as hmacd.v1.MacService. Default: the whole daemon.");

  static final List<Command> ALL =
      List.of(
          new Command(
              "health",
              "Shows the health status of the daemon. Exit code 6: it does not serve MACs now.",
              List.of(SERVICE),
              Examples::health,
              HealthCommands::health));

  private HealthCommands() {}

  private static Optional<Value> health(HmacdClient hmacd, Arguments arguments, Terminal terminal) {
    String service = arguments.find(SERVICE).orElse("");
    HealthStatus status = hmacd.health(service);
    return switch (status) {
      case SERVING -> Optional.of(Answers.health(service, status));
      case NOT_SERVING ->
          throw new CommandException(
              ExitCode.UNAVAILABLE,
              status + ": no token is in service, or the daemon starts or stops",
              "Try again. If the status persists, the daemon's log has the cause.");
      case UNKNOWN ->
          throw new CommandException(
              ExitCode.UNAVAILABLE,
              status + ": the server reports neither SERVING nor NOT_SERVING",
              "The daemon may be newer than this hmacctl, or the server may not be hmacd.");
    };
  }
}

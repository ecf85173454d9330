package dev.hmacd.command;

import dev.hmacd.ExitCode;
import dev.hmacd.StartException;
import dev.hmacd.command.Arguments.UsageException;
import java.util.Arrays;
import java.util.List;

/// Finds and runs the command of a command line.
public final class CommandLine {
  private static final String HELP =
      """
      hmacd: a signing daemon whose HMAC keys live in an HSM.

      hmacd serve --config FILE   Serves until SIGTERM; SIGHUP reads rules and certificates again.
      hmacd init --config FILE    Makes the daemon's own keys on the token, and stores the known answer of the
                                  health check. A second run changes nothing.
        --new-registry            starts a new registry on a token that holds keys of hmacd: discards aliases,
                                  tags, access keys and adoptions of the lost registry
        --restored OLD=NEW        the token NEW (serial number) was restored from a backup of OLD
        --discard-access-keys SERIAL
                                  makes a new key for secrets of access keys; all access keys become invalid
      hmacd check --config FILE   Tests all prerequisites of serve, and prints a table of results.
      hmacd dev [--dir DIR] [--module FILE] [--token-label LABEL] [--pin-file FILE]
                                  Serves for development: makes a SoftHSM2 token, a certificate authority and
                                  a configuration in DIR (.hmacd), listens on loopback and a Unix socket, and
                                  writes DIR/env, a file to source. Read permission on DIR permits use of the
                                  keys.
        --module FILE             another PKCS#11 module than SoftHSM2's, such as one in front of it
        --token-label LABEL       the token's label (hmacd-dev)
        --pin-file FILE           the PIN of an initialised token
      hmacd --version | --help

      Exit codes: 0 success, or stopped by a signal; 1 hmacd check found a fault, or hmacd init found another key
      under the label and id of a key; 2 usage; 70 unexpected error; 75 a later start may succeed; 78 an operator
      has to act, a later start cannot succeed before that.
      """;

  private CommandLine() {}

  /// Runs the command of a command line.
  public static ExitCode run(String[] arguments)
      throws UsageException, StartException, InterruptedException {
    if (arguments.length == 0 || isHelp(arguments)) {
      System.out.print(HELP);
      return arguments.length == 0 ? ExitCode.USAGE : ExitCode.OK;
    }
    if (arguments[0].equals("--version") || arguments[0].equals("-V")) {
      String version = CommandLine.class.getPackage().getImplementationVersion();
      System.out.println("hmacd " + (version == null ? "development" : version));
      return ExitCode.OK;
    }
    Command command =
        switch (arguments[0]) {
          case "serve" -> new ServeCommand();
          case "init" -> new InitCommand();
          case "check" -> new CheckCommand();
          case "dev" -> new DevCommand();
          default -> throw new UsageException("unknown command " + arguments[0]);
        };
    return command.run(Arguments.parse(arguments, 1, command.options(), command.flags()));
  }

  private static boolean isHelp(String[] arguments) {
    return Arrays.stream(arguments).anyMatch(List.of("--help", "-h")::contains)
        || arguments[0].equals("help");
  }
}

package dev.hmacd.command;

import dev.hmacd.StartException;
import dev.hmacd.command.Arguments.UsageException;
import java.util.Arrays;
import java.util.List;

/// Finds the command that a command line asks for.
public final class CommandLine {
  private static final String HELP =
      """
      hmacd: a signing daemon whose HMAC keys live in an HSM.

      hmacd serve --config FILE   Serves until SIGTERM; SIGHUP reads rules and certificates anew.
      hmacd init --config FILE    Makes the daemon's own keys on the token, and remembers the probe's known
                                  answer. Does nothing where that has been done.
      hmacd check --config FILE   Tries everything that serving needs, and says in a table what it found.
      hmacd dev [--dir DIR] [--module FILE] [--token-label LABEL] [--pin-file FILE]
                                  Serves for development: makes a SoftHSM2 token, a certificate authority and
                                  a configuration in DIR (.hmacd), listens on loopback and a Unix socket, and
                                  writes DIR/env, a file to source. Whoever can read DIR can use the keys.
        --module FILE             another PKCS#11 module than SoftHSM2's, such as one in front of it
        --token-label LABEL       the token's label (hmacd-dev)
        --pin-file FILE           the PIN of a token that is initialised already
      hmacd --version | --help

      Exit codes: 0 done, or stopped as asked; 1 hmacd check found a fault; 2 usage; 75 it may work later;
      78 the configuration or the PIN is refused, and trying again does not help.
      """;

  private CommandLine() {}

  /// Does what the command line says.
  ///
  /// @return the exit code
  public static int run(String[] arguments)
      throws UsageException, StartException, InterruptedException {
    if (arguments.length == 0 || isHelp(arguments)) {
      System.out.print(HELP);
      return arguments.length == 0 ? 2 : 0;
    }
    if (arguments[0].equals("--version") || arguments[0].equals("-V")) {
      String version = CommandLine.class.getPackage().getImplementationVersion();
      System.out.println("hmacd " + (version == null ? "development" : version));
      return 0;
    }
    Command command =
        switch (arguments[0]) {
          case "serve" -> new ServeCommand();
          case "init" -> new InitCommand();
          case "check" -> new CheckCommand();
          case "dev" -> new DevCommand();
          default -> throw new UsageException("unknown command " + arguments[0]);
        };
    return command.run(Arguments.parse(arguments, 1, command.options()));
  }

  private static boolean isHelp(String[] arguments) {
    return Arrays.stream(arguments).anyMatch(List.of("--help", "-h")::contains)
        || arguments[0].equals("help");
  }
}

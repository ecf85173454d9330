package dev.hmacd.command;

import dev.hmacd.Build;
import dev.hmacd.ExitCode;
import dev.hmacd.StartException;
import dev.hmacd.command.Arguments.UsageException;
import java.util.Optional;

/// Entry point for command lines: runs the named command, or prints the help or the version.
public final class CommandLine {
  private CommandLine() {}

  /// Runs the command that the first argument names.
  ///
  /// @return the exit code of the process
  public static ExitCode run(String[] arguments)
      throws UsageException, StartException, InterruptedException {
    if (arguments.length == 0) {
      System.out.print(Help.all());
      return ExitCode.USAGE;
    }
    Optional<CommandName> name = CommandName.of(arguments[0]);
    if (asksForHelp(arguments)) {
      System.out.print(name.isPresent() ? Help.of(name.get()) : Help.all());
      return ExitCode.OK;
    }
    if (arguments[0].equals("--version") || arguments[0].equals("-V")) {
      System.out.println(Build.read());
      return ExitCode.OK;
    }
    if (name.isEmpty()) {
      throw new UsageException("unknown command " + arguments[0]);
    }
    Command command = name.get().create();
    return command.run(Arguments.parse(arguments, 1, command.options()));
  }

  private static boolean asksForHelp(String[] arguments) {
    for (String argument : arguments) {
      if (argument.equals("--help") || argument.equals("-h")) {
        return true;
      }
    }
    return arguments[0].equals("help");
  }
}

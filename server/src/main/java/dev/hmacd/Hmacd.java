package dev.hmacd;

import dev.hmacd.command.Arguments;
import dev.hmacd.command.CommandLine;
import java.io.PrintStream;

/// The main class: runs the command as a process with an exit code.
public final class Hmacd {
  private Hmacd() {}

  public static void main(String[] arguments) {
    ExitCode exitCode;
    try {
      exitCode = CommandLine.run(arguments);
    } catch (StartException
        | Arguments.UsageException
        | InterruptedException
        | RuntimeException
        | Error e) {
      exitCode = report(e, System.err);
    }
    if (exitCode != ExitCode.OK) {
      System.exit(exitCode.code());
    }
  }

  /// Prints the messages of an expected failure, one in each line, or the stack trace of an
  /// unexpected failure.
  ///
  /// @return the exit code of the process
  static ExitCode report(Throwable failure, PrintStream out) {
    if (failure instanceof Arguments.UsageException e) {
      out.println("hmacd: " + e.getMessage() + "; see hmacd --help");
      return ExitCode.USAGE;
    }
    if (failure instanceof StartException e) {
      e.problems().forEach(problem -> out.println("hmacd: " + problem));
    } else {
      out.println("hmacd: unexpected error; report it with these lines:");
      failure.printStackTrace(out);
    }
    return StartException.exitCode(failure);
  }
}

package dev.hmacd;

import dev.hmacd.command.Arguments;
import dev.hmacd.command.CommandLine;

/// The daemon's program: arguments in, exit code out.
public final class Hmacd {
  private Hmacd() {}

  public static void main(String[] arguments) throws InterruptedException {
    int code;
    try {
      code = CommandLine.run(arguments);
    } catch (StartException e) {
      System.err.println("hmacd: " + e.getMessage());
      code = e.exitCode();
    } catch (Arguments.UsageException e) {
      System.err.println("hmacd: " + e.getMessage() + "; see hmacd --help");
      code = 2;
    }
    if (code != 0) {
      System.exit(code);
    }
  }
}

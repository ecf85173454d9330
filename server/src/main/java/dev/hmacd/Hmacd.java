package dev.hmacd;

import dev.hmacd.command.Arguments;
import dev.hmacd.command.CommandLine;

/// The daemon's main class: runs the command, and ends with its exit code.
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
    } catch (RuntimeException | Error e) {
      System.err.println("hmacd: unexpected error; report it with these lines:");
      e.printStackTrace();
      code = StartException.SOFTWARE;
    }
    if (code != 0) {
      System.exit(code);
    }
  }
}

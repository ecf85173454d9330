package dev.hmacd.command;

import dev.hmacd.ExitCode;
import dev.hmacd.StartException;
import dev.hmacd.command.Arguments.UsageException;
import java.util.Set;

/// A command of `hmacd`.
public interface Command {
  /// The names of the command's options with a value, with their dashes.
  Set<String> options();

  /// The names of the command's options without a value, with their dashes.
  default Set<String> flags() {
    return Set.of();
  }

  /// Runs the command.
  ///
  /// @throws StartException with the message for the user and the exit code
  ExitCode run(Arguments arguments) throws UsageException, StartException, InterruptedException;
}

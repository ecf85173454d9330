package dev.hmacd.command;

import dev.hmacd.StartException;
import dev.hmacd.command.Arguments.UsageException;
import java.util.Set;

/// A command of `hmacd`.
public interface Command {
  /// The names of its options, with their dashes.
  Set<String> options();

  /// Does it.
  ///
  /// @return the exit code
  /// @throws StartException with what to say and the exit code
  int run(Arguments arguments) throws UsageException, StartException, InterruptedException;
}

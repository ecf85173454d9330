package dev.hmacd.command;

import dev.hmacd.ExitCode;
import dev.hmacd.StartException;
import dev.hmacd.command.Arguments.UsageException;
import java.util.List;

/// A command of `hmacd`.
interface Command {
  /// The option of all commands that read a configuration.
  Option CONFIG = Option.required("--config", "FILE", "Configuration file.");

  /// Sentences for the help.
  String description();

  /// All options, in the order of the help.
  List<Option> options();

  /// Runs the command.
  ///
  /// @throws StartException with the message for the user and the exit code
  ExitCode run(Arguments arguments) throws UsageException, StartException, InterruptedException;
}

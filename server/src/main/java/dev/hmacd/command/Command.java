package dev.hmacd.command;

import dev.hmacd.ExitCode;
import dev.hmacd.StartException;
import dev.hmacd.command.Arguments.UsageException;
import java.util.List;

/// A command of `hmacd`.
interface Command {
  /// The option for the configuration file, of all commands that read one.
  Option CONFIG = Option.required("--config", "FILE", "Configuration file.");

  /// Description of the command, in sentences for the `--help` text.
  String description();

  /// All options of the command, in the order of the `--help` text.
  List<Option> options();

  /// Runs the command.
  ///
  /// @throws StartException with the message for the user and the exit code
  ExitCode run(Arguments arguments) throws UsageException, StartException, InterruptedException;
}

package dev.hmacd.ctl;

import dev.hmacd.client.HmacdClient;
import dev.hmacd.client.HmacdException;
import java.util.List;
import java.util.Optional;
import java.util.function.Supplier;
import java.util.stream.Stream;

/// A command that calls the daemon.
///
/// @param ownOptions options that are not common to all commands
/// @param example an answer with every member that the answers of the command can have
record Command(
    String name, String summary, List<Option> ownOptions, Supplier<Value> example, Action action) {
  /// All commands, in the order of the help.
  static final List<Command> ALL =
      Stream.of(
              MacCommands.ALL,
              KeyCommands.ALL,
              KeyStateCommands.ALL,
              AliasCommands.ALL,
              TagCommands.ALL,
              AccessKeyCommands.ALL,
              RandomCommands.ALL,
              HealthCommands.ALL)
          .flatMap(List::stream)
          .toList();

  List<Option> options() {
    return Stream.of(ownOptions, Connection.OPTIONS, Output.OPTIONS).flatMap(List::stream).toList();
  }

  /// Runs the command, and explains a refusal.
  Optional<Value> run(HmacdClient hmacd, Arguments arguments, Terminal terminal) {
    try {
      return action.run(hmacd, arguments, terminal);
    } catch (HmacdException e) {
      throw AliasRefusal.explained(e, this, hmacd, arguments);
    }
  }

  /// The implementation of a command.
  interface Action {
    /// Returns the answer; empty if the command has no output.
    Optional<Value> run(HmacdClient hmacd, Arguments arguments, Terminal terminal);
  }
}

package dev.hmacd.ctl;

import dev.hmacd.client.HmacdClient;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/// A command that calls the daemon.
///
/// @param ownOptions those that not every command has
record Command(String name, String summary, List<Option> ownOptions, Action action) {
  /// Every command, as help lists them.
  static final List<Command> ALL =
      Stream.of(
              MacCommands.ALL,
              KeyCommands.ALL,
              KeyStateCommands.ALL,
              AliasCommands.ALL,
              TagCommands.ALL,
              AccessKeyCommands.ALL)
          .flatMap(List::stream)
          .toList();

  List<Option> options() {
    return Stream.of(ownOptions, Connection.OPTIONS, Output.OPTIONS).flatMap(List::stream).toList();
  }

  /// What a command does.
  interface Action {
    /// Answers nothing where there is nothing to tell but that it is done.
    Optional<Value> run(HmacdClient hmacd, Arguments arguments, Terminal terminal);
  }
}

package dev.hmacd.command;

import java.util.Locale;
import java.util.Optional;

/// The commands of `hmacd`.
enum CommandName {
  SERVE,
  INIT,
  CHECK,
  DEV;

  /// Finds a command by its name in the command line.
  static Optional<CommandName> of(String text) {
    for (CommandName name : values()) {
      if (name.toString().equals(text)) {
        return Optional.of(name);
      }
    }
    return Optional.empty();
  }

  /// Creates the command. A start creates only one command, because loading the classes of a
  /// command takes time.
  Command create() {
    return switch (this) {
      case SERVE -> new ServeCommand();
      case INIT -> new InitCommand();
      case CHECK -> new CheckCommand();
      case DEV -> new DevCommand();
    };
  }

  /// The name in the command line.
  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT);
  }
}

package dev.hmacd.ctl;

import java.util.List;

/// The texts of `--help`.
final class Help {
  private static final int WIDTH = 80;
  private static final int INDENT = 28;

  private Help() {}

  static String all() {
    var help = new StringBuilder();
    help.append("usage: hmacctl COMMAND [OPTION...]\n\n");
    paragraph(
        help, "Calls hmacd, which generates and verifies MACs under keys that live in an HSM.");
    help.append("\nCommands ('hmacctl COMMAND --help' shows their options):\n");
    Command.ALL.forEach(command -> entry(help, command.name(), command.summary()));
    entry(
        help,
        Completion.NAME,
        "Writes a completion script for bash and zsh: source <(hmacctl completion)");
    help.append("\nOptions of all commands that call the daemon:\n");
    options(help, Connection.OPTIONS);
    options(help, Output.OPTIONS);
    entry(help, "-h, --help", "Show help.");
    entry(help, "--version", "Show the version.");
    help.append("\nExit codes:\n");
    for (ExitCode exit : ExitCode.values()) {
      entry(help, String.valueOf(exit.code), exit.meaning);
    }
    return help.toString();
  }

  static String of(Command command) {
    var help = new StringBuilder();
    help.append("usage: hmacctl ").append(command.name());
    command.ownOptions().stream()
        .filter(option -> option.kind() == Option.Kind.REQUIRED)
        .forEach(option -> help.append(' ').append(synopsis(option)));
    help.append(" [OPTION...]\n\n");
    paragraph(help, command.summary());
    help.append("\nOptions:\n");
    options(help, command.options());
    entry(help, "-h, --help", "Show this help.");
    help.append("\nExit codes: see 'hmacctl --help'.\n");
    return help.toString();
  }

  private static void options(StringBuilder help, List<Option> options) {
    options.forEach(option -> entry(help, synopsis(option), option.description()));
  }

  private static String synopsis(Option option) {
    return option.label().isEmpty() ? option.name() : option.name() + " " + option.label();
  }

  private static void entry(StringBuilder help, String term, String description) {
    help.append("  ").append(term);
    int column = 2 + term.length();
    if (column + 2 > INDENT) {
      help.append('\n');
      column = 0;
    }
    help.append(" ".repeat(INDENT - column));
    wrapped(help, description, INDENT);
  }

  private static void paragraph(StringBuilder help, String text) {
    wrapped(help, text, 0);
  }

  /// Appends the words of a text, and wraps lines at [#WIDTH]. The current column must be `indent`.
  private static void wrapped(StringBuilder help, String text, int indent) {
    int column = indent;
    for (String word : text.split(" ", -1)) {
      if (column > indent && column + 1 + word.length() > WIDTH) {
        help.append('\n').append(" ".repeat(indent));
        column = indent;
      } else if (column > indent) {
        help.append(' ');
        column++;
      }
      help.append(word);
      column += word.length();
    }
    help.append('\n');
  }
}

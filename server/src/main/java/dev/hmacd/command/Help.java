package dev.hmacd.command;

import dev.hmacd.ExitCode;

/// The texts of `--help`, made from the commands and their options.
final class Help {
  private static final int WIDTH = 80;
  private static final int INDENT = 28;

  private Help() {}

  /// The help of `hmacd` with all commands.
  static String all() {
    var help = new StringBuilder("usage: hmacd COMMAND [OPTION...]\n\n");
    wrapped(
        help, "hmacd is a signing daemon. An HSM holds its HMAC keys and computes the MACs.", 0);
    for (CommandName name : CommandName.values()) {
      help.append('\n');
      command(help, name);
    }
    help.append("\nOther options:\n");
    entry(help, "-h, --help", "Show this help, or the help of the command before it.");
    entry(help, "-V, --version", "Show the version and the commit of the build.");
    help.append("\nExit codes:\n");
    for (ExitCode exit : ExitCode.values()) {
      entry(help, String.valueOf(exit.code()), exit.meaning());
    }
    return help.toString();
  }

  /// The help of one command.
  static String of(CommandName name) {
    var help = new StringBuilder("usage: ");
    command(help, name);
    entry(help, "-h, --help", "Show this help.");
    help.append("\nExit codes: see 'hmacd --help'.\n");
    return help.toString();
  }

  private static void command(StringBuilder help, CommandName name) {
    Command command = name.create();
    help.append("hmacd ").append(name);
    boolean optional = false;
    for (Option option : command.options()) {
      if (option.kind() == Option.Kind.REQUIRED) {
        help.append(' ').append(option.synopsis());
      } else {
        optional = true;
      }
    }
    help.append(optional ? " [OPTION...]\n" : "\n");
    help.append("  ");
    wrapped(help, command.description(), 2);
    help.append('\n');
    for (Option option : command.options()) {
      entry(help, option.synopsis(), description(option));
    }
  }

  private static String description(Option option) {
    if (option.kind() == Option.Kind.REQUIRED) {
      return option.description() + " Required.";
    }
    return option.defaultValue().isEmpty()
        ? option.description()
        : option.description() + " Default: " + option.defaultValue() + ".";
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

  /// Appends a text and wraps its lines. The current column must be equal to `indent`.
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

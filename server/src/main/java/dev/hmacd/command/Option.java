package dev.hmacd.command;

/// An option of a command: `--name VALUE` or `--name=VALUE`, or `--name` alone for a flag.
///
/// @param name the name with its dashes, such as `--config`
/// @param placeholder placeholder of the value in the `--help` text; empty for a flag
/// @param defaultValue the value of an option that is not given; empty if there is no default
/// @param description sentences for the `--help` text
record Option(String name, String placeholder, Kind kind, String defaultValue, String description) {
  enum Kind {
    REQUIRED,
    OPTIONAL,
    /// An option without a value, which is present or absent.
    FLAG
  }

  static Option required(String name, String placeholder, String description) {
    return new Option(name, placeholder, Kind.REQUIRED, "", description);
  }

  static Option optional(String name, String placeholder, String description) {
    return new Option(name, placeholder, Kind.OPTIONAL, "", description);
  }

  /// An option whose value is `defaultValue` if the command line does not have the option.
  static Option withDefault(
      String name, String placeholder, String defaultValue, String description) {
    return new Option(name, placeholder, Kind.OPTIONAL, defaultValue, description);
  }

  static Option flag(String name, String description) {
    return new Option(name, "", Kind.FLAG, "", description);
  }

  /// The option as in a command line, with the placeholder of its value.
  String synopsis() {
    return placeholder.isEmpty() ? name : name + " " + placeholder;
  }
}

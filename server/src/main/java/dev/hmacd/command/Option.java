package dev.hmacd.command;

/// An option of a command: `--name VALUE` or `--name=VALUE`, or `--name` alone for a flag.
///
/// @param name with its dashes
/// @param placeholder of the value in the help; empty for a flag
/// @param defaultValue the value of an option that is not given; empty if there is no default
/// @param description sentences for the help
record Option(String name, String placeholder, Kind kind, String defaultValue, String description) {
  enum Kind {
    REQUIRED,
    OPTIONAL,
    /// Present or absent, without a value.
    FLAG
  }

  static Option required(String name, String placeholder, String description) {
    return new Option(name, placeholder, Kind.REQUIRED, "", description);
  }

  static Option optional(String name, String placeholder, String description) {
    return new Option(name, placeholder, Kind.OPTIONAL, "", description);
  }

  /// An option whose value is `defaultValue` if it is not given.
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

package dev.hmacd.ctl;

import java.util.List;

/// An option of a command: `--name VALUE` or `--name=VALUE`, or `--name` alone for a flag.
///
/// @param label placeholder of the value in the help; empty for a flag
/// @param choices the allowed values; empty if all values are allowed
record Option(String name, String label, Kind kind, List<String> choices, String description) {
  enum Kind {
    /// Present or absent, without a value.
    FLAG,
    /// At most one value.
    OPTIONAL,
    /// Exactly one value.
    REQUIRED,
    /// One or more values, up to the next option.
    LIST
  }

  static Option flag(String name, String description) {
    return new Option(name, "", Kind.FLAG, List.of(), description);
  }

  static Option optional(String name, String label, String description) {
    return new Option(name, label, Kind.OPTIONAL, List.of(), description);
  }

  static Option required(String name, String label, String description) {
    return new Option(name, label, Kind.REQUIRED, List.of(), description);
  }

  static Option list(String name, String label, String description) {
    return new Option(name, label, Kind.LIST, List.of(), description);
  }

  /// Returns this option with a list of allowed values.
  Option of(List<String> choices) {
    return new Option(
        name, label, kind, choices, description + " " + String.join(", ", choices) + ".");
  }
}

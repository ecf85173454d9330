package dev.hmacd.ctl;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// The parsed options of one command line. Each option is known and occurs at most once, and all
/// required options are present.
final class Arguments {
  private final List<Option> options;
  private final Map<Option, List<String>> values;

  private Arguments(List<Option> options, Map<Option, List<String>> values) {
    this.options = options;
    this.values = values;
  }

  /// @throws UsageException if an argument is unknown, repeated, invalid or missing
  static Arguments parse(List<String> arguments, List<Option> options) {
    var byName = new HashMap<String, Option>();
    options.forEach(option -> byName.put(option.name(), option));
    var values = new HashMap<Option, List<String>>();

    for (int i = 0; i < arguments.size(); ) {
      String argument = arguments.get(i++);
      int equals = argument.startsWith("--") ? argument.indexOf('=') : -1;
      Option option = byName.get(equals < 0 ? argument : argument.substring(0, equals));
      if (option == null) {
        throw unknown(argument, options);
      }
      var given = new ArrayList<String>();
      if (equals >= 0) {
        given.add(argument.substring(equals + 1));
      } else if (option.kind() != Option.Kind.FLAG) {
        // An option's name is never a value. Otherwise `--key-id --dry-run` would not be a dry run.
        while (i < arguments.size()
            && !byName.containsKey(arguments.get(i))
            && (given.isEmpty() || option.kind() == Option.Kind.LIST)) {
          given.add(arguments.get(i++));
        }
      }
      check(option, given);
      if (values.put(option, given) != null) {
        throw new UsageException(option.name() + " is given twice");
      }
    }

    List<String> missing =
        options.stream()
            .filter(option -> option.kind() == Option.Kind.REQUIRED && !values.containsKey(option))
            .map(Option::name)
            .toList();
    if (!missing.isEmpty()) {
      throw new UsageException("missing option: " + String.join(", ", missing));
    }
    return new Arguments(options, values);
  }

  private static UsageException unknown(String argument, List<Option> options) {
    if (!argument.startsWith("-")) {
      return new UsageException("unexpected argument: " + argument);
    }
    String name = argument.replaceFirst("=.*", "");
    return new UsageException(
        "unknown option: " + argument,
        Suggestion.hint(name, options.stream().map(Option::name).toList()));
  }

  boolean has(Option option) {
    requireDeclared(option);
    return values.containsKey(option);
  }

  /// The value of a required option.
  String get(Option option) {
    return find(option).orElseThrow();
  }

  Optional<String> find(Option option) {
    return all(option).stream().findFirst();
  }

  /// All values of an option; empty if the option is not given.
  ///
  /// @throws IllegalStateException if the command does not declare the option; the help of the
  ///   command would lack the option
  List<String> all(Option option) {
    requireDeclared(option);
    return values.getOrDefault(option, List.of());
  }

  private void requireDeclared(Option option) {
    if (!options.contains(option)) {
      throw new IllegalStateException("the command does not declare " + option.name());
    }
  }

  /// The value of an option as a number, 1 or more; `otherwise` if the option is not given.
  int number(Option option, int otherwise) {
    return find(option).map(value -> number(option, value)).orElse(otherwise);
  }

  private static int number(Option option, String value) {
    try {
      int number = Integer.parseInt(value);
      if (number >= 1) {
        return number;
      }
    } catch (NumberFormatException e) {
      // The exception below has the error message.
    }
    throw new UsageException(option.name() + " must be a whole number, 1 or more: " + value);
  }

  private static void check(Option option, List<String> given) {
    if (option.kind() == Option.Kind.FLAG) {
      if (!given.isEmpty()) {
        throw new UsageException(option.name() + " takes no value");
      }
    } else if (given.isEmpty()) {
      throw new UsageException(option.name() + " requires a value: " + option.label());
    } else if (!option.choices().isEmpty() && !option.choices().containsAll(given)) {
      throw new UsageException(
          option.name()
              + " must be one of "
              + String.join(", ", option.choices())
              + ": "
              + String.join(", ", given));
    }
  }
}

package dev.hmacd.command;

import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/// The options of one command line: each option is known and given at most once, and no required
/// option is missing. hmacd parses options without a library, because a library took a quarter of a
/// second of each start.
public final class Arguments {
  private final List<Option> options;
  private final Map<Option, String> values;

  private Arguments(List<Option> options, Map<Option, String> values) {
    this.options = options;
    this.values = values;
  }

  /// An error in a command line, with a message for the user.
  public static final class UsageException extends Exception {
    private static final long serialVersionUID = 1;

    UsageException(String message) {
      super(message);
    }
  }

  /// Parses the arguments from index `from` to the end.
  ///
  /// @param options all options of the command
  static Arguments parse(String[] arguments, int from, List<Option> options) throws UsageException {
    Map<Option, String> values = new HashMap<>();
    for (int i = from; i < arguments.length; i++) {
      String argument = arguments[i];
      int equals = argument.indexOf('=');
      Option option = find(options, equals < 0 ? argument : argument.substring(0, equals));
      if (option == null) {
        throw new UsageException("unknown argument " + argument);
      }
      boolean flag = option.kind() == Option.Kind.FLAG;
      String value;
      if (flag && equals >= 0) {
        throw new UsageException(option.name() + " takes no value");
      } else if (flag) {
        value = "";
      } else if (equals >= 0) {
        value = argument.substring(equals + 1);
      } else if (i + 1 < arguments.length) {
        value = arguments[++i];
      } else {
        throw new UsageException(option.name() + " needs a value");
      }
      if (values.put(option, value) != null) {
        throw new UsageException(option.name() + " is given twice");
      }
    }
    for (Option option : options) {
      if (option.kind() == Option.Kind.REQUIRED && !values.containsKey(option)) {
        throw new UsageException(option.name() + " is missing");
      }
    }
    return new Arguments(options, values);
  }

  private static @Nullable Option find(List<Option> options, String name) {
    for (Option option : options) {
      if (option.name().equals(name)) {
        return option;
      }
    }
    return null;
  }

  /// Whether a flag is given.
  boolean has(Option flag) {
    return find(flag).isPresent();
  }

  /// The value of an option; its default if the option is not given; empty without a default.
  ///
  /// @throws IllegalStateException if the command does not declare the option
  Optional<String> find(Option option) {
    if (!options.contains(option)) {
      throw new IllegalStateException("the command does not declare " + option.name());
    }
    String value = values.get(option);
    if (value == null && !option.defaultValue().isEmpty()) {
      return Optional.of(option.defaultValue());
    }
    return Optional.ofNullable(value);
  }

  Optional<Path> findPath(Option option) {
    return find(option).map(Path::of);
  }

  /// The value of an option that is required or has a default.
  String get(Option option) {
    return find(option).orElseThrow();
  }

  Path getPath(Option option) {
    return Path.of(get(option));
  }
}

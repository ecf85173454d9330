package dev.hmacd.command;

import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/// The options of a command line: `--name value` or `--name=value`, or `--name` alone, each at most
/// once. No library parses them: a library took a quarter of a second of each start.
public final class Arguments {
  private final Map<String, String> values;

  private Arguments(Map<String, String> values) {
    this.values = values;
  }

  /// A fault in a command line. The message is for the user.
  public static final class UsageException extends Exception {
    private static final long serialVersionUID = 1;

    UsageException(String message) {
      super(message);
    }
  }

  /// Reads all arguments from an index on.
  ///
  /// @param known names of options with a value, with their dashes
  /// @param flags names of options without a value
  static Arguments parse(String[] arguments, int from, Set<String> known, Set<String> flags)
      throws UsageException {
    Map<String, String> values = new HashMap<>();
    for (int i = from; i < arguments.length; i++) {
      String argument = arguments[i];
      int equals = argument.indexOf('=');
      String name = equals < 0 ? argument : argument.substring(0, equals);
      boolean flag = flags.contains(name);
      if (!flag && !known.contains(name)) {
        throw new UsageException("unknown argument " + argument);
      }
      String value;
      if (flag && equals >= 0) {
        throw new UsageException(name + " takes no value");
      } else if (flag) {
        value = "";
      } else if (equals >= 0) {
        value = argument.substring(equals + 1);
      } else if (i + 1 < arguments.length) {
        value = arguments[++i];
      } else {
        throw new UsageException(name + " needs a value");
      }
      if (values.put(name, value) != null) {
        throw new UsageException(name + " is given twice");
      }
    }
    return new Arguments(values);
  }

  /// Whether an option without a value is given.
  boolean has(String name) {
    return values.containsKey(name);
  }

  Optional<String> value(String name) {
    return Optional.ofNullable(values.get(name));
  }

  Optional<Path> path(String name) {
    return value(name).map(Path::of);
  }

  Path requiredPath(String name) throws UsageException {
    return path(name).orElseThrow(() -> new UsageException(name + " is missing"));
  }
}

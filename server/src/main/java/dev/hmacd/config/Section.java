package dev.hmacd.config;

import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/// Typed reader of one mapping of the configuration file. Collects all problems, each with its path
/// and the valid values.
///
/// Returns a valid placeholder for a wrong value, or for a required value that is missing. The
/// daemon never uses a placeholder, because a configuration with a problem is refused.
final class Section {
  private static final Pattern DURATION = Pattern.compile("(\\d{1,9})(ms|s|m|h)");

  private final String path;
  private final Map<?, ?> values;
  private final List<String> problems;
  private final Path folder;
  private final Set<String> known = new HashSet<>();

  /// @param folder the base of relative paths
  Section(String path, Map<?, ?> values, List<String> problems, Path folder) {
    this.path = path;
    this.values = values;
    this.problems = problems;
    this.folder = folder;
  }

  /// Records a problem of a configuration key. Further problems of the same configuration key are
  /// ignored, because the first problem causes them.
  void problem(String key, String text) {
    String start = at(key) + ": ";
    if (problems.stream().noneMatch(known -> known.startsWith(start))) {
      problems.add(start + text);
    }
  }

  private String at(String key) {
    return path.isEmpty() ? key : path + "." + key;
  }

  private @Nullable Object take(String key) {
    known.add(key);
    return values.get(key);
  }

  boolean has(String key) {
    return values.get(key) != null;
  }

  Section section(String key) {
    return optionalSection(key)
        .orElseGet(
            () -> {
              problem(key, "is missing");
              return empty(key);
            });
  }

  Optional<Section> optionalSection(String key) {
    Object value = take(key);
    if (value == null) {
      return Optional.empty();
    }
    if (value instanceof Map<?, ?> map) {
      return Optional.of(new Section(at(key), map, problems, folder));
    }
    problem(key, "must be a mapping");
    return Optional.of(empty(key));
  }

  /// As [#section], but returns an empty section if the section is missing. All values of an empty
  /// section have their defaults.
  Section defaulted(String key) {
    return optionalSection(key).orElseGet(() -> empty(key));
  }

  private Section empty(String key) {
    return new Section(at(key), Map.of(), new ArrayList<>(), folder);
  }

  List<Section> sections(String key) {
    List<Section> result = new ArrayList<>();
    Object value = take(key);
    if (value instanceof List<?> list) {
      for (int i = 0; i < list.size(); i++) {
        String item = key + "[" + i + "]";
        if (list.get(i) instanceof Map<?, ?> map) {
          result.add(new Section(at(item), map, problems, folder));
        } else {
          problem(item, "must be a mapping");
        }
      }
    } else if (value != null) {
      problem(key, "must be a list");
    }
    return result;
  }

  /// @param parse parses an item; may throw an [IllegalArgumentException] whose message has the
  ///   valid values
  <T> List<T> list(String key, Function<String, T> parse) {
    List<T> result = new ArrayList<>();
    if (!(take(key) instanceof List<?> list) || list.isEmpty()) {
      problem(key, "must be a list with at least one item");
      return result;
    }
    for (int i = 0; i < list.size(); i++) {
      Object item = list.get(i);
      if (item instanceof String text) {
        parsed(key + "[" + i + "]", text, parse).ifPresent(result::add);
      } else {
        problem(key + "[" + i + "]", "must be a string; quote it");
      }
    }
    return result;
  }

  Optional<String> optionalString(String key) {
    Object value = take(key);
    if (value == null) {
      return Optional.empty();
    }
    if (value instanceof String text && !text.isEmpty()) {
      return Optional.of(text);
    }
    problem(key, "must be a non-empty string; quote it");
    return Optional.empty();
  }

  String string(String key, String fallback) {
    return optionalString(key).orElse(fallback);
  }

  Path requiredPath(String key) {
    if (!has(key)) {
      known.add(key);
      problem(key, "is missing; configure the path of a file");
      return folder;
    }
    return optionalString(key).flatMap(text -> parsed(key, text, this::resolve)).orElse(folder);
  }

  private Path resolve(String text) {
    return folder.resolve(text).normalize();
  }

  boolean bool(String key, boolean fallback) {
    Object value = take(key);
    if (value == null) {
      return fallback;
    }
    if (value instanceof Boolean bool) {
      return bool;
    }
    problem(key, "must be true or false");
    return fallback;
  }

  int number(String key, int fallback, int min, int max) {
    Object value = take(key);
    if (value == null) {
      return fallback;
    }
    if (value instanceof Integer number && number >= min && number <= max) {
      return number;
    }
    problem(key, "must be a whole number from " + min + " to " + max);
    return fallback;
  }

  Duration duration(String key, Duration fallback, Duration min, Duration max) {
    Object value = take(key);
    if (value == null) {
      return fallback;
    }
    if (value instanceof String text) {
      Matcher matcher = DURATION.matcher(text);
      if (matcher.matches()) {
        long count = Long.parseLong(matcher.group(1));
        Duration duration =
            switch (matcher.group(2)) {
              case "ms" -> Duration.ofMillis(count);
              case "s" -> Duration.ofSeconds(count);
              case "m" -> Duration.ofMinutes(count);
              default -> Duration.ofHours(count);
            };
        if (duration.compareTo(min) >= 0 && duration.compareTo(max) <= 0) {
          return duration;
        }
      }
    }
    problem(
        key,
        "must be a duration such as 500ms, 30s, 5m or 1h, from " + text(min) + " to " + text(max));
    return fallback;
  }

  private static String text(Duration duration) {
    return duration.toMillis() % 1000 == 0
        ? duration.toSeconds() + "s"
        : duration.toMillis() + "ms";
  }

  InetSocketAddress address(String key, String given) {
    int colon = given.lastIndexOf(':');
    if (colon > 0) {
      try {
        int port = Integer.parseInt(given.substring(colon + 1));
        String host = given.substring(0, colon).replaceAll("^\\[|]$", "");
        InetSocketAddress address = new InetSocketAddress(host, port);
        if (!address.isUnresolved()) {
          return address;
        }
      } catch (IllegalArgumentException e) {
        problem(key, "must be HOST:PORT, with a port from 0 to 65535");
      }
    }
    problem(key, "must be HOST:PORT, with an IP address or a known host name");
    return new InetSocketAddress(0);
  }

  /// @param parse parses the text; may throw an [IllegalArgumentException] whose message has the
  ///   valid values
  <T> Optional<T> parsed(String key, String text, Function<String, T> parse) {
    try {
      return Optional.of(parse.apply(text));
    } catch (IllegalArgumentException e) {
      problem(key, e.getMessage() == null ? "is not valid" : e.getMessage());
      return Optional.empty();
    }
  }

  /// Reports unknown configuration keys. A mistyped configuration key must not silently select the
  /// default value.
  void done() {
    for (Object key : values.keySet()) {
      String name = String.valueOf(key);
      if (!known.contains(name)) {
        String suggestion =
            Suggestion.of(name, known).map(each -> " (did you mean " + each + "?)").orElse("");
        problem(
            name, "unknown key" + suggestion + "; known keys: " + known.stream().sorted().toList());
      }
    }
  }
}

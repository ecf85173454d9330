package dev.hmacd.awskms;

import dev.hmacd.testing.JsonTree;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/// The cases that AWS's clients run too: `client/aws/cases.json`; what its members mean is in the
/// README.md beside it.
final class Cases {
  private static final Path FILE = Path.of("..", "client", "aws", "cases.json");
  private static final Pattern VARIABLE = Pattern.compile("\\$\\{([A-Za-z0-9]+)(?::([0-9]+))?}");

  private final Map<String, String> variables = new HashMap<>();

  /// One of them.
  record Case(Map<?, ?> members) {
    String name() {
      return text("name");
    }

    String call() {
      return text("call");
    }

    String text(String member) {
      return (String) Objects.requireNonNull(members.get(member), member);
    }

    boolean has(String member) {
      return members.containsKey(member);
    }

    @Nullable Object get(String member) {
      return members.get(member);
    }

    /// A list of texts; empty where there is none.
    List<String> texts(String member) {
      Object list = members.get(member);
      return list == null ? List.of() : ((List<?>) list).stream().map(String.class::cast).toList();
    }
  }

  static List<Case> all() {
    try {
      var list = (List<?>) Objects.requireNonNull(JsonTree.parse(Files.readString(FILE)));
      return list.stream().map(each -> new Case((Map<?, ?>) each)).toList();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /// Those that are run on the wire.
  static Stream<Case> onTheWire() {
    return all().stream().filter(each -> !each.texts("not").contains("wire"));
  }

  Cases put(String variable, String value) {
    variables.put(variable, value);
    return this;
  }

  /// A text with its variables replaced.
  String fill(String text) {
    return VARIABLE.matcher(text).replaceAll(each -> Matcher.quoteReplacement(value(each)));
  }

  private String value(java.util.regex.MatchResult variable) {
    String name = variable.group(1);
    String count = variable.group(2);
    if (count == null) {
      return Objects.requireNonNull(variables.get(name), name);
    }
    int n = Integer.parseInt(count);
    return switch (name) {
      case "zeros" -> Base64.getEncoder().encodeToString(new byte[n]);
      case "letters" -> "a".repeat(n);
      default -> throw new IllegalArgumentException(name);
    };
  }

  /// JSON of a value, with its variables replaced.
  String json(@Nullable Object value) {
    return switch (value) {
      case Map<?, ?> members ->
          join(
              members.entrySet().stream()
                  .map(each -> json(each.getKey()) + ":" + json(each.getValue())),
              "{}");
      case List<?> items -> join(items.stream().map(this::json), "[]");
      case String text ->
          "\"" + fill(text).replace("\\", "\\\\").replace("\"", "\\\"").replace("\n", "\\n") + "\"";
      case null, default -> String.valueOf(value);
    };
  }

  private static String join(Stream<String> parts, String brackets) {
    return brackets.charAt(0) + String.join(",", parts.toList()) + brackets.charAt(1);
  }

  /// What differs between an answer and what is expected of it; nothing else may be in it.
  ///
  /// @param expected with variables, `*` for anything and null for nothing
  Stream<String> differences(String path, @Nullable Object expected, @Nullable Object seen) {
    if ("*".equals(expected)) {
      return seen == null ? Stream.of(path + " is not there") : Stream.empty();
    }
    if (expected instanceof Map<?, ?> members && seen instanceof Map<?, ?> answer) {
      Stream<String> more =
          answer.keySet().stream()
              .filter(name -> members.get(name) == null)
              .map(name -> path + "." + name + " is there");
      return Stream.concat(
          more,
          members.entrySet().stream()
              .filter(each -> each.getValue() != null)
              .flatMap(
                  each ->
                      differences(
                          path + "." + each.getKey(), each.getValue(), answer.get(each.getKey()))));
    }
    if (expected instanceof List<?> items
        && seen instanceof List<?> answer
        && items.size() == answer.size()) {
      return Stream.iterate(0, i -> i + 1)
          .limit(items.size())
          .flatMap(i -> differences(path + "." + i, items.get(i), answer.get(i)));
    }
    String wanted = json(expected);
    String got = new Cases().json(seen);
    return wanted.equals(got) ? Stream.empty() : Stream.of(path + ": " + got + ", not " + wanted);
  }

  /// Keeps what a case says that later ones use.
  void save(Case done, Object answer) {
    if (done.get("save") instanceof Map<?, ?> paths) {
      paths.forEach((name, path) -> put((String) name, (String) at(answer, (String) path)));
    }
  }

  private static Object at(Object value, String path) {
    Object at = value;
    for (String step : path.split("\\.", -1)) {
      at =
          at instanceof List<?> items
              ? items.get(Integer.parseInt(step))
              : Objects.requireNonNull(((Map<?, ?>) at).get(step), path);
    }
    return at;
  }
}

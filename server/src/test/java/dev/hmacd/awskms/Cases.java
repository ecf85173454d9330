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

/// The test cases of `client/aws/cases.json`, which AWS's clients run, too. The README.md in that
/// folder describes the members.
final class Cases {
  private static final Path FILE = Path.of("..", "client", "aws", "cases.json");
  private static final Pattern VARIABLE = Pattern.compile("\\$\\{([A-Za-z0-9]+)(?::([0-9]+))?}");

  private final Map<String, String> variables = new HashMap<>();

  /// A test case.
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

    /// A list of strings; empty if the member is absent.
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

  /// The cases that run without a client of AWS.
  static Stream<Case> onTheWire() {
    return all().stream().filter(each -> !each.texts("not").contains("wire"));
  }

  Cases put(String variable, String value) {
    variables.put(variable, value);
    return this;
  }

  /// A string with its variables replaced.
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

  /// The differences between an answer and the expected answer. An unexpected member is a
  /// difference.
  ///
  /// @param expected with variables; `*` for any value; null for no value
  Stream<String> differences(String path, @Nullable Object expected, @Nullable Object seen) {
    if ("*".equals(expected)) {
      return seen == null ? Stream.of(path + " is missing") : Stream.empty();
    }
    if (expected instanceof Map<?, ?> members && seen instanceof Map<?, ?> answer) {
      Stream<String> more =
          answer.keySet().stream()
              .filter(name -> members.get(name) == null)
              .map(name -> path + "." + name + " is unexpected");
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

  /// Saves the values of an answer that later cases use.
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

package dev.hmacd.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.snakeyaml.engine.v2.api.Dump;
import org.snakeyaml.engine.v2.api.DumpSettings;
import org.snakeyaml.engine.v2.api.Load;
import org.snakeyaml.engine.v2.api.LoadSettings;

/// The shipped example shows every configuration key with its default.
final class ExampleTest {
  private static final Path FILE = Path.of("src/main/dist/hmacd.example.yaml");

  /// Keys in comments: a token is selected by label or serial, and few modules need arguments.
  private static final Pattern IN_COMMENT = Pattern.compile("(?m)^  # (serial|init_args): \".+\"$");

  /// The section for several tokens, also in comments.
  private static final Pattern SEVERAL = Pattern.compile("(?m)^# (tokens:$| {2}- | {4}[a-z_]+: )");

  /// Required keys, and keys that enable a feature.
  private static final Set<String> WITHOUT_DEFAULT =
      Set.of(
          "aws_kms",
          "aws_kms.tls",
          "aws_kms.tls.certificate",
          "aws_kms.tls.private_key",
          "grpc",
          "grpc.listen",
          "grpc.tls",
          "grpc.tls.certificate",
          "grpc.tls.private_key",
          "grpc.tls.client_ca",
          "grpc.unix_socket",
          "grpc.unix_socket.path",
          "token",
          "token.module",
          "token.label",
          "token.pin_file",
          "registry",
          "registry.path",
          "arn",
          "arn.region",
          "arn.account",
          "metrics",
          "metrics.listen", // Has its default only without metrics.unix_socket.
          "metrics.unix_socket",
          "metrics.unix_socket.path",
          "access",
          "access.rules");

  private static final Pattern UNKNOWN =
      Pattern.compile("(?:(.*)\\.)?nonsense: unknown key; known keys: \\[(.*)]");

  @TempDir Path folder;

  private static String text() {
    try {
      return Files.readString(FILE);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static Object tree() {
    return new Load(LoadSettings.builder().build()).loadFromString(text());
  }

  private Config read(Object yaml) throws ConfigException {
    String dumped = new Dump(DumpSettings.builder().build()).dumpToString(yaml);
    try {
      return ConfigFile.read(Files.writeString(folder.resolve("hmacd.yaml"), dumped));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /// The keys of each mapping, by the mapping's path; a mapping in a list has its index.
  private static Map<String, Set<String>> keys(String path, Object yaml) {
    Map<String, Set<String>> found = new TreeMap<>();
    if (yaml instanceof Map<?, ?> map) {
      Set<String> keys = new TreeSet<>();
      map.forEach(
          (key, value) -> {
            keys.add((String) key);
            found.putAll(keys(path.isEmpty() ? (String) key : path + "." + key, value));
          });
      found.put(path, keys);
    } else if (yaml instanceof List<?> list) {
      for (int i = 0; i < list.size(); i++) {
        found.putAll(keys(path + "[" + i + "]", list.get(i)));
      }
    }
    return found;
  }

  private static Object withNonsense(Object yaml) {
    return switch (yaml) {
      case Map<?, ?> map -> {
        Map<Object, Object> more = new LinkedHashMap<>();
        map.forEach((key, value) -> more.put(key, withNonsense(value)));
        more.put("nonsense", 1);
        yield more;
      }
      case List<?> list -> list.stream().map(ExampleTest::withNonsense).toList();
      default -> yaml;
    };
  }

  private static Object without(String path, String removed, Object yaml) {
    if (!(yaml instanceof Map<?, ?> map)) {
      return yaml;
    }
    Map<Object, Object> less = new LinkedHashMap<>();
    map.forEach(
        (key, value) -> {
          String here = path.isEmpty() ? (String) key : path + "." + key;
          if (!here.equals(removed)) {
            less.put(key, without(here, removed, value));
          }
        });
    return less;
  }

  @Test
  void everyKeyIsShown() throws ConfigException {
    assertThat(ConfigFile.read(FILE)).isEqualTo(read(tree()));
    Map<String, Set<String>> shown = keys("", tree());
    List<String> inComments =
        IN_COMMENT.matcher(text()).results().map(match -> match.group(1)).toList();
    assertThat(inComments).containsExactly("init_args", "serial");
    shown.getOrDefault("token", Set.of()).addAll(inComments);
    shown.getOrDefault("", Set.of()).add("tokens");

    Map<String, Set<String>> known = new TreeMap<>();
    assertThatExceptionOfType(ConfigException.class)
        .isThrownBy(() -> read(withNonsense(tree())))
        .satisfies(
            e -> {
              for (String problem : e.problems()) {
                var matcher = UNKNOWN.matcher(problem);
                assertThat(matcher.matches()).as(problem).isTrue();
                known.put(
                    Optional.ofNullable(matcher.group(1)).orElse(""),
                    new TreeSet<>(List.of(matcher.group(2).split(", "))));
              }
            });
    assertThat(shown).isEqualTo(known);
  }

  @Test
  void exampleOfSeveralTokensIsValid() throws ConfigException {
    String uncommented = SEVERAL.matcher(text()).replaceAll("$1");
    Object tree = new Load(LoadSettings.builder().build()).loadFromString(uncommented);
    assertThat(read(without("", "token", tree)).tokens()).hasSize(2);
  }

  @Test
  void shownDefaultsAreTheDefaults() throws ConfigException {
    Config shown = read(tree());
    int defaults = 0;
    for (var section : keys("", tree()).entrySet()) {
      if (section.getKey().contains("[")) {
        continue; // A rule has no defaults.
      }
      for (String key : section.getValue()) {
        String path = section.getKey().isEmpty() ? key : section.getKey() + "." + key;
        Object without = without("", path, tree());
        if (WITHOUT_DEFAULT.contains(path)) {
          assertThat(config(without)).as("without %s", path).isNotEqualTo(Optional.of(shown));
        } else {
          assertThat(config(without)).as("without %s", path).contains(shown);
          defaults++;
        }
      }
    }
    assertThat(defaults).isGreaterThan(20);
  }

  /// The configuration; empty if it is invalid.
  private Optional<Config> config(Object yaml) {
    try {
      return Optional.of(read(yaml));
    } catch (ConfigException e) {
      return Optional.empty();
    }
  }
}

package dev.hmacd.vectors;

import dev.hmacd.key.MacAlgorithm;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.snakeyaml.engine.v2.api.Load;
import org.snakeyaml.engine.v2.api.LoadSettings;

/// Reads the MAC tests of Project Wycheproof (C2SP/wycheproof, `mac_test_schema_v1.json`).
///
/// @param declared the number of cases in the file's header
record Wycheproof(int declared, List<MacVector> cases) {
  static Wycheproof read(Path file, MacAlgorithm algorithm) {
    Map<?, ?> root;
    try (var text = Files.newBufferedReader(file)) {
      // JSON is YAML.
      root = (Map<?, ?>) new Load(LoadSettings.builder().build()).loadFromReader(text);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    List<MacVector> cases = new ArrayList<>();
    for (Object each : list(root, "testGroups")) {
      Map<?, ?> group = (Map<?, ?>) each;
      for (Object test : list(group, "tests")) {
        cases.add(vector(file, algorithm, group, (Map<?, ?>) test));
      }
    }
    return new Wycheproof(number(root, "numberOfTests"), cases);
  }

  private static MacVector vector(
      Path file, MacAlgorithm algorithm, Map<?, ?> group, Map<?, ?> test) {
    var vector =
        new MacVector(
            file.getFileName() + " #" + number(test, "tcId"),
            algorithm,
            text(test, "key"),
            text(test, "msg"),
            text(test, "tag"),
            switch (text(test, "result")) {
              case "valid" -> true;
              case "invalid" -> false;
              default -> throw new IllegalArgumentException("neither valid nor invalid: " + test);
            });
    if (vector.key().length * 8 != number(group, "keySize")
        || vector.mac().length * 8 != number(group, "tagSize")) {
      throw new IllegalArgumentException("sizes do not match the group: " + vector);
    }
    return vector;
  }

  private static List<?> list(Map<?, ?> map, String name) {
    return (List<?>) present(map, name);
  }

  private static String text(Map<?, ?> map, String name) {
    return (String) present(map, name);
  }

  private static int number(Map<?, ?> map, String name) {
    return (Integer) present(map, name);
  }

  private static Object present(Map<?, ?> map, String name) {
    Object value = map.get(name);
    if (value == null) {
      throw new IllegalArgumentException("no " + name + " in " + map.keySet());
    }
    return value;
  }
}

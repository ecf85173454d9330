package dev.hmacd.awskms;

import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.domain.JavaMethod;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import dev.hmacd.testing.KmsItem;
import java.io.IOException;
import java.io.PrintStream;
import java.lang.annotation.Annotation;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Predicate;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;

/// A case or a test covers each item of `docs/aws-kms-semantics.md`, or `kms-not-covered.txt`
/// excludes the item with a reason.
///
/// An item is a bullet or a table row that begins with its id in bold, e.g. `**ALIAS-2**`.
final class CoverageTest {
  private static final Path SEMANTICS = Path.of("..", "docs", "aws-kms-semantics.md");
  private static final List<Class<? extends Annotation>> TESTS =
      List.of(Test.class, ParameterizedTest.class);
  private static final Pattern ITEM = Pattern.compile("(?:- |\\| )\\*\\*([A-Z]+-\\d+)\\*\\*.*");

  private static final Map<String, String> items = new LinkedHashMap<>();
  private static final Map<String, String> excluded = new LinkedHashMap<>();
  private static final Set<String> covered = new TreeSet<>();

  @BeforeAll
  static void read() throws IOException {
    readItems();
    try (var in =
        Objects.requireNonNull(CoverageTest.class.getResourceAsStream("kms-not-covered.txt"))) {
      new String(in.readAllBytes(), StandardCharsets.UTF_8)
          .lines()
          .map(line -> line.split(" ", 2))
          .forEach(line -> excluded.put(line[0], line[1]));
    }
    Cases.onTheWire().forEach(each -> covered.addAll(each.texts("kms")));
    new ClassFileImporter(List.of(ImportOption.Predefined.ONLY_INCLUDE_TESTS))
        .importPackages("dev.hmacd").stream()
            .flatMap(type -> type.getMethods().stream())
            .filter(method -> method.isAnnotatedWith(KmsItem.class))
            .filter(method -> TESTS.stream().anyMatch(method::isAnnotatedWith))
            .map(CoverageTest::value)
            .forEach(covered::addAll);
  }

  private static List<String> value(JavaMethod method) {
    return List.of(method.getAnnotationOfType(KmsItem.class).value());
  }

  private static void readItems() throws IOException {
    for (String line : Files.readAllLines(SEMANTICS)) {
      Matcher item = ITEM.matcher(line);
      if (item.matches()) {
        assertThat(items.put(item.group(1), line)).as("duplicate %s", item.group(1)).isNull();
      } else {
        assertThat(line).as("item without an id").doesNotStartWith("- ");
      }
    }
  }

  private static Set<String> where(Set<String> numbers, Predicate<String> condition) {
    return numbers.stream().filter(condition).collect(Collectors.toCollection(TreeSet::new));
  }

  @Test
  void everyItemIsCoveredOrExcludedWithAReason() {
    assertThat(items).hasSizeGreaterThan(150);
    assertThat(
            where(items.keySet(), each -> !covered.contains(each) && !excluded.containsKey(each)))
        .as("items without coverage")
        .isEmpty();
    assertThat(where(excluded.keySet(), covered::contains)).as("excluded but covered").isEmpty();
    assertThat(
            where(
                Stream.concat(covered.stream(), excluded.keySet().stream())
                    .collect(Collectors.toSet()),
                each -> !items.containsKey(each)))
        .as("unknown items")
        .isEmpty();
    report();
  }

  @SuppressWarnings("SystemOut") // The report is for the console.
  private static void report() {
    PrintStream out = System.out;
    out.printf(
        "aws-kms-semantics.md: %d of %d items covered; not covered:%n",
        items.size() - excluded.size(), items.size());
    Map<String, List<String>> byReason = new LinkedHashMap<>();
    excluded.forEach(
        (number, reason) ->
            byReason.computeIfAbsent(reason, _ -> new java.util.ArrayList<>()).add(number));
    byReason.forEach((reason, numbers) -> out.printf("  %s: %s%n", reason, numbers));
  }
}

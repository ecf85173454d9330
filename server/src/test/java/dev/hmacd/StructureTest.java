package dev.hmacd;

import static com.tngtech.archunit.base.DescribedPredicate.not;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.belongToAnyOf;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.domain.Dependency;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.library.dependencies.SliceAssignment;
import com.tngtech.archunit.library.dependencies.SliceIdentifier;
import com.tngtech.archunit.library.dependencies.SlicesRuleDefinition;
import dev.hmacd.http.Headers;
import dev.hmacd.http.Request;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.NullMarked;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.FieldSource;

/// What knows what: imports point inward, and each outside thing is known in one place.
final class StructureTest {
  private static final String ROOT = "dev.hmacd";
  private static final String CRYPTOKI = "dev.hmacd.token.Cryptoki";

  /// For each package, those of ours that it may know. The contract, `v1`, is for the edge alone.
  private static final Map<String, Set<String>> MAY_KNOW =
      Map.ofEntries(
          entry("key"),
          entry("access", "key"),
          entry("limit"),
          entry("log"),
          entry("registry", "key", "limit"),
          entry("token", "key", "limit", "log"),
          entry("usecase", "key", "registry", "access", "token", "limit", "sigv4"),
          entry("config", "key", "access", "token"),
          entry("metrics", "usecase", "token"),
          entry("transport", "log", "config", "access"),
          entry(
              "rpc",
              "log",
              "limit",
              "v1",
              "usecase",
              "key",
              "access",
              "token",
              "config",
              "transport"),
          entry("http", "limit", "transport"),
          entry("sigv4", "http", "key", "access", "token"),
          entry("awskms", "usecase", "key", "config", "transport", "http", "sigv4"),
          entry(
              "",
              "rpc",
              "awskms",
              "transport",
              "metrics",
              "usecase",
              "key",
              "registry",
              "access",
              "token",
              "config"),
          entry(
              "command",
              "",
              "transport",
              "usecase",
              "key",
              "registry",
              "access",
              "token",
              "config"));

  private static Map.Entry<String, Set<String>> entry(String name, String... mayKnow) {
    return Map.entry(name, Set.of(mayKnow));
  }

  static final Set<String> PACKAGES = MAY_KNOW.keySet();

  private static final JavaClasses MAIN =
      new ClassFileImporter()
          .importUrl(Daemon.class.getProtectionDomain().getCodeSource().getLocation());

  @ParameterizedTest(name = "dev.hmacd.{0}")
  @FieldSource("PACKAGES")
  void packageKnowsOnlyWhatItMay(String name) {
    Set<String> known =
        MAIN.stream()
            .filter(each -> packageOf(each).equals(name) && !isProgram(each))
            .flatMap(each -> each.getDirectDependenciesFromSelf().stream())
            .map(Dependency::getTargetClass)
            .filter(each -> each.getPackageName().startsWith(ROOT))
            .map(StructureTest::packageOf)
            .filter(each -> !each.equals(name))
            .collect(Collectors.toCollection(TreeSet::new));
    assertThat(MAY_KNOW.get(name)).containsAll(known);
  }

  @Test
  void everyPackageHasItsPlaceInTheTable() {
    assertThat(MAIN.stream().map(StructureTest::packageOf).collect(Collectors.toSet()))
        .isEqualTo(PACKAGES);
  }

  @Test
  void packagesFormNoCycle() {
    SlicesRuleDefinition.slices()
        .assignedFrom(
            new SliceAssignment() {
              @Override
              public SliceIdentifier getIdentifierOf(JavaClass type) {
                return isProgram(type)
                    ? SliceIdentifier.of("the program")
                    : SliceIdentifier.of(type.getPackageName());
              }

              @Override
              public String getDescription() {
                return "packages, and the program apart";
              }
            })
        .should()
        .beFreeOfCycles()
        .check(MAIN);
  }

  @Test
  void sigV4KnowsTheValuesOfARequestButNoServer() {
    noClasses()
        .that()
        .resideInAPackage("dev.hmacd.sigv4")
        .should()
        .dependOnClassesThat(
            resideInAPackage("dev.hmacd.http")
                .and(not(belongToAnyOf(Request.class, Headers.class)))
                .or(resideInAPackage("io.netty..")))
        .check(MAIN);
  }

  /// Imports do not show header fields and error codes.
  @Test
  void httpHasNoNameOfAws() throws IOException {
    try (Stream<Path> files = Files.list(Path.of("src/main/java/dev/hmacd/http"))) {
      assertThat(files)
          .isNotEmpty()
          .allSatisfy(file -> assertThat(file).content().doesNotContainPattern("(?i)aws|amz|kms"));
    }
  }

  @Test
  void onlyCryptokiKnowsTheJdksPkcs11Wrapper() {
    noClasses()
        .that()
        .doNotHaveFullyQualifiedName(CRYPTOKI)
        .and()
        .haveNameNotMatching(CRYPTOKI + "\\$.*")
        .should()
        .dependOnClassesThat()
        .resideInAPackage("sun.security..")
        .check(MAIN);
  }

  /// Else the rule above would hold of class files that were not understood.
  @Test
  void cryptokiItselfIsSeenToKnowIt() {
    classes()
        .that()
        .haveFullyQualifiedName(CRYPTOKI)
        .should()
        .dependOnClassesThat()
        .haveFullyQualifiedName("sun.security.pkcs11.wrapper.PKCS11")
        .check(MAIN);
  }

  @Test
  void healthMachineUsesNoThreadClockOrLog() {
    noClasses()
        .that()
        .haveNameMatching("dev\\.hmacd\\.token\\.Health(Machine|State|Event|Effect)(\\$.*)?")
        .should()
        .dependOnClassesThat()
        .resideInAnyPackage("java.util.concurrent..", "org.slf4j..", "java.io..", "java.nio..")
        .orShould()
        .callMethod(System.class, "nanoTime")
        .check(MAIN);
  }

  @Test
  void onlyCommandsKnowTheJdksLogger() {
    noClasses()
        .that()
        .resideOutsideOfPackage("dev.hmacd.command")
        .should()
        .dependOnClassesThat()
        .resideInAPackage("java.util.logging..")
        .check(MAIN);
  }

  @Test
  void onlyTheProgramAndItsExitEndTheProcess() {
    noClasses()
        .that()
        .doNotHaveFullyQualifiedName("dev.hmacd.Hmacd")
        .and()
        .doNotHaveFullyQualifiedName("dev.hmacd.command.ProcessExit")
        .should()
        .callMethod(System.class, "exit", int.class)
        .orShould()
        .callMethod(Runtime.class, "exit", int.class)
        .orShould()
        .callMethod(Runtime.class, "halt", int.class)
        .check(MAIN);
  }

  @Test
  void everyPackageIsNullMarked() {
    assertThat(MAIN.stream().map(JavaClass::getPackage).collect(Collectors.toSet()))
        .hasSize(PACKAGES.size())
        .allMatch(each -> each.isAnnotatedWith(NullMarked.class));
  }

  /// The part after `dev.hmacd.`; empty for that package itself.
  private static String packageOf(JavaClass type) {
    String name = type.getPackageName();
    return name.equals(ROOT) ? "" : name.substring(ROOT.length() + 1);
  }

  /// `main` names the commands, which build what is beside it.
  private static boolean isProgram(JavaClass type) {
    return type.getName().equals("dev.hmacd.Hmacd")
        || type.getName().startsWith("dev.hmacd.Hmacd$");
  }
}

package dev.hmacd;

import static com.tngtech.archunit.base.DescribedPredicate.not;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.belongToAnyOf;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAnyPackage;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.domain.Dependency;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.lang.ArchCondition;
import com.tngtech.archunit.lang.ConditionEvents;
import com.tngtech.archunit.lang.SimpleConditionEvent;
import com.tngtech.archunit.library.dependencies.SliceAssignment;
import com.tngtech.archunit.library.dependencies.SliceIdentifier;
import com.tngtech.archunit.library.dependencies.SlicesRuleDefinition;
import dev.hmacd.http.Headers;
import dev.hmacd.http.Request;
import dev.hmacd.token.TokenSession;
import dev.hmacd.transport.TlsContext;
import dev.hmacd.usecase.Call;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.NullMarked;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.FieldSource;

/// Dependencies between packages: imports point inward, and one place depends on each external API.
final class StructureTest {
  private static final String ROOT = "dev.hmacd";
  private static final String CRYPTOKI = "dev.hmacd.token.Cryptoki";

  /// The permitted dependencies of each package on packages of hmacd. Only the edge may depend on
  /// the contract, `v1`.
  private static final Map<String, Set<String>> PERMITTED =
      Map.ofEntries(
          entry("key"),
          entry("json"),
          entry("access", "key"),
          entry("limit", "log"),
          entry("log"),
          entry("file"),
          entry("registry.cache"),
          entry("registry", "registry.cache", "file", "key", "limit", "log"),
          entry("token", "file", "key", "limit", "log"),
          entry(
              "usecase",
              "key",
              "registry",
              "registry.cache",
              "access",
              "token",
              "limit",
              "log",
              "sigv4"),
          entry("config", "file", "key", "access", "token"),
          entry("metrics", "usecase", "token", "transport", "log"),
          entry("transport", "file", "log", "config", "access"),
          entry(
              "rpc",
              "file",
              "log",
              "limit",
              "v1",
              "authn",
              "usecase",
              "key",
              "access",
              "token",
              "config",
              "transport"),
          entry("http", "file", "limit", "log", "transport"),
          entry("sigv4", "http", "key", "access", "token", "limit"),
          entry("authn", "access", "limit", "transport", "http", "sigv4", "log"),
          entry(
              "awskms",
              "file",
              "json",
              "authn",
              "usecase",
              "key",
              "access",
              "config",
              "transport",
              "http",
              "sigv4"),
          entry(
              "",
              "file",
              "rpc",
              "awskms",
              "authn",
              "sigv4",
              "transport",
              "metrics",
              "usecase",
              "key",
              "registry",
              "registry.cache",
              "access",
              "token",
              "config"),
          entry(
              "command",
              "",
              "file",
              "log",
              "transport",
              "usecase",
              "key",
              "registry",
              "access",
              "token",
              "config"));

  private static Map.Entry<String, Set<String>> entry(String name, String... permitted) {
    return Map.entry(name, Set.of(permitted));
  }

  static final Set<String> PACKAGES = PERMITTED.keySet();

  private static final JavaClasses MAIN =
      new ClassFileImporter()
          .importUrl(Daemon.class.getProtectionDomain().getCodeSource().getLocation());

  @ParameterizedTest(name = "dev.hmacd.{0}")
  @FieldSource("PACKAGES")
  void packageHasOnlyPermittedDependencies(String name) {
    Set<String> known =
        MAIN.stream()
            .filter(each -> packageOf(each).equals(name) && !isProgram(each))
            .flatMap(each -> each.getDirectDependenciesFromSelf().stream())
            .map(Dependency::getTargetClass)
            .filter(each -> each.getPackageName().startsWith(ROOT))
            .map(StructureTest::packageOf)
            .filter(each -> !each.equals(name))
            .collect(Collectors.toCollection(TreeSet::new));
    assertThat(PERMITTED.get(name)).containsAll(known);
  }

  @Test
  void everyPackageIsInTheTable() {
    assertThat(MAIN.stream().map(StructureTest::packageOf).collect(Collectors.toSet()))
        .isEqualTo(PACKAGES);
  }

  @Test
  void packagesHaveNoCycle() {
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
                return "packages, with the program separate";
              }
            })
        .should()
        .beFreeOfCycles()
        .check(MAIN);
  }

  @Test
  void authenticationKnowsTheValuesOfARequestButNoServer() {
    noClasses()
        .that()
        .resideInAnyPackage("dev.hmacd.sigv4", "dev.hmacd.authn")
        .should()
        .dependOnClassesThat(
            resideInAPackage("dev.hmacd.http")
                .and(not(belongToAnyOf(Request.class, Headers.class)))
                .or(resideInAnyPackage("io.netty..", "io.grpc..", "com.fasterxml..")))
        .check(MAIN);
  }

  /// An edge reads credentials. Only the package `authn` checks them.
  @Test
  void onlyAuthnChecksCredentials() {
    noClasses()
        .that()
        .resideOutsideOfPackages("dev.hmacd.authn", "dev.hmacd.sigv4")
        .should()
        .dependOnClassesThat()
        .haveFullyQualifiedName("dev.hmacd.sigv4.SigV4$UnverifiedSignature")
        .orShould()
        .callMethod(TlsContext.class, "trust", Instant.class)
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
  void onlyCryptokiUsesTheJdksPkcs11Wrapper() {
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

  /// Proves that ArchUnit reads the class files of the rule above.
  @Test
  void cryptokiUsesTheJdksPkcs11Wrapper() {
    classes()
        .that()
        .haveFullyQualifiedName(CRYPTOKI)
        .should()
        .dependOnClassesThat()
        .haveFullyQualifiedName("sun.security.pkcs11.wrapper.PKCS11")
        .check(MAIN);
  }

  /// A MAC for a caller needs an [AuthorizedKey], and only a positive decision makes one. The
  /// others compute the check value of a key, and secrets of access keys.
  @Test
  void onlyAuthorizedKeysLeadToMacsForCallers() {
    classes()
        .that()
        .haveFullyQualifiedName("dev.hmacd.token.SignRequest")
        .should(
            onlyBeConstructedIn(
                "dev.hmacd.usecase.AuthorizedKey",
                "dev.hmacd.usecase.TrustOnFirstUse",
                "dev.hmacd.sigv4.AccessKeySecrets"))
        .check(MAIN);
    classes()
        .that()
        .haveFullyQualifiedName("dev.hmacd.usecase.AuthorizedKey")
        .should(onlyBeConstructedIn("dev.hmacd.usecase.KeyAuthorizer"))
        .check(MAIN);
  }

  /// [TokenSession#signOnce] computes check values: at the creation, adoption, recovery and
  /// deletion of a key, and in `hmacd check`.
  @Test
  void onlyCheckValuesAreComputedWithoutARequest() {
    assertThat(callers(TokenSession.class, "signOnce"))
        .containsExactlyInAnyOrder(
            "dev.hmacd.usecase.KeyAdoption",
            "dev.hmacd.usecase.KeyDeletion",
            "dev.hmacd.usecase.KeyRecovery",
            "dev.hmacd.command.KeyInventory");
  }

  /// An edge takes the principal of a call from the [Authenticator].
  @Test
  void onlyTheEdgesSetThePrincipalOfACall() {
    assertThat(callers(Call.class, "authenticated"))
        .containsExactlyInAnyOrder(
            "dev.hmacd.rpc.GrpcReply", "dev.hmacd.awskms.Dispatcher", "dev.hmacd.usecase.Call");
    classes()
        .that()
        .haveFullyQualifiedName("dev.hmacd.authn.Authentication$Authenticated")
        .should(
            onlyBeConstructedIn(
                "dev.hmacd.authn.ClientCertificate",
                "dev.hmacd.authn.PendingAuthentication",
                "dev.hmacd.authn.UnixPeer"))
        .check(MAIN);
  }

  /// The classes that call a method, or refer to it.
  private static Set<String> callers(Class<?> type, String method) {
    return MAIN.get(type).getMethods().stream()
        .filter(each -> each.getName().equals(method))
        .flatMap(
            each ->
                Stream.concat(each.getCallsOfSelf().stream(), each.getReferencesToSelf().stream()))
        .map(access -> access.getOriginOwner().getName())
        .collect(Collectors.toSet());
  }

  private static ArchCondition<JavaClass> onlyBeConstructedIn(String... names) {
    return new ArchCondition<>("only be constructed in " + List.of(names)) {
      @Override
      public void check(JavaClass type, ConditionEvents events) {
        Set<String> callers =
            Stream.concat(
                    type.getConstructorCallsToSelf().stream(),
                    type.getConstructorReferencesToSelf().stream())
                .map(access -> access.getOriginOwner().getName())
                .filter(caller -> !caller.equals(type.getName()))
                .collect(Collectors.toCollection(TreeSet::new));
        events.add(
            new SimpleConditionEvent(type, callers.equals(Set.of(names)), type + ": " + callers));
      }
    };
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
  void onlyCommandsUseTheJdksLogger() {
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

  /// The package without `dev.hmacd.`; empty for the root package.
  private static String packageOf(JavaClass type) {
    String name = type.getPackageName();
    return name.equals(ROOT) ? "" : name.substring(ROOT.length() + 1);
  }

  /// `main` depends on the commands, and the commands on classes of its package.
  private static boolean isProgram(JavaClass type) {
    return type.getName().equals("dev.hmacd.Hmacd")
        || type.getName().startsWith("dev.hmacd.Hmacd$");
  }
}

package dev.hmacd.rpc;

import static dev.hmacd.testing.Reasons.failsWith;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.params.provider.Arguments.argumentSet;

import dev.hmacd.access.Action;
import dev.hmacd.testing.Caller;
import dev.hmacd.testing.LogWatch;
import dev.hmacd.testing.LoopbackDaemon;
import dev.hmacd.v1.DeleteAliasRequest;
import dev.hmacd.v1.KeySpec;
import dev.hmacd.v1.UpdateAliasRequest;
import io.grpc.Status.Code;
import io.netty.pkitesting.CertificateBuilder;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/// Permissions over gRPC, for each kind of authentication and each form of a key's name.
/// [ActionPermissionTest] has all actions.
final class PermissionTest {
  private static final String ARN = "arn:aws:kms:eu-central-1:123456789012:";
  private static final String UNKNOWN = "00000000-0000-0000-0000-000000000000";
  private static final List<Action> MAC = List.of(Action.GENERATE_MAC, Action.VERIFY_MAC);

  private static final LoopbackDaemon daemon =
      LoopbackDaemon.withAdmin()
          .allowing("orders", MAC, "alias/orders")
          .allowing("eu", MAC, "alias/eu/*")
          .allowing("signer", List.of(Action.GENERATE_MAC), "*")
          .allowing("describer", List.of(Action.DESCRIBE_KEY), "*")
          .allowing("reader", List.of(Action.DESCRIBE_KEY), "alias/orders")
          .rule("dns:billing.example", "[GenerateMac]", "alias/orders")
          .rule("dns:*.jobs.example.org", "[GenerateMac]", "alias/orders")
          .rule("cn:billing", "[GenerateMac]", "alias/orders")
          .rule("spiffe://other/*", "[GenerateMac]", "alias/orders")
          .rule("uid:" + uid(), "[GenerateMac]", "alias/orders");

  private static Caller admin;
  private static Caller signer;
  private static Caller stranger;
  private static Caller reader;
  private static String orders = "";
  private static String invoices = "";

  private static int uid() {
    try {
      return (Integer) Files.getAttribute(Path.of("/proc/self"), "unix:uid");
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @BeforeAll
  static void start() {
    daemon.start();
    admin = daemon.as("admin");
    signer = daemon.as("signer");
    stranger = daemon.as("stranger");
    reader = daemon.as("reader");
    orders = admin.createKey(KeySpec.KEY_SPEC_HMAC_256);
    invoices = admin.createKey(KeySpec.KEY_SPEC_HMAC_256);
    admin.createAlias("alias/orders", orders);
    admin.createAlias("alias/invoices", invoices);
    admin.createAlias("alias/eu/invoices", invoices);
  }

  @AfterAll
  static void stop() {
    daemon.close();
  }

  private static void denied(Caller caller, String key) {
    assertThatThrownBy(() -> caller.generateMac(key, "hello"))
        .as(key)
        .satisfies(failsWith(Code.PERMISSION_DENIED, "ACCESS_DENIED"));
  }

  static Stream<Arguments> callers() {
    return Stream.of(
        caller("exact SPIFFE ID", true, b -> b.addSanUriName(URI.create("spiffe://test/orders"))),
        caller(
            "SPIFFE ID with a longer last segment",
            false,
            b -> b.addSanUriName(URI.create("spiffe://test/orders2"))),
        caller(
            "SPIFFE ID with one more segment",
            false,
            b -> b.addSanUriName(URI.create("spiffe://test/orders/1"))),
        caller(
            "SPIFFE ID that matches the wildcard",
            true,
            b -> b.addSanUriName(URI.create("spiffe://other/a/b"))),
        caller("longer trust domain", false, b -> b.addSanUriName(URI.create("spiffe://other2/a"))),
        caller("DNS name", true, b -> b.addSanDnsName("billing.example")),
        caller(
            "second DNS name",
            false,
            b -> b.addSanDnsName("a.example").addSanDnsName("billing.example")),
        caller("CN", true, b -> b.subject("CN=billing")),
        caller(
            "CN of a certificate with a DNS name",
            false,
            b -> b.subject("CN=billing").addSanDnsName("a.example")),
        caller("first label of the wildcard", true, b -> b.addSanDnsName("a.jobs.example.org")),
        caller("two labels for the wildcard", false, b -> b.addSanDnsName("a.b.jobs.example.org")),
        caller("domain of the wildcard", false, b -> b.addSanDnsName("jobs.example.org")));
  }

  private static Arguments caller(
      String name, boolean allowed, UnaryOperator<CertificateBuilder> certificate) {
    return argumentSet(name, allowed, certificate);
  }

  @ParameterizedTest
  @MethodSource("callers")
  void certificateHasThePermissionsOfItsPrincipal(
      boolean allowed, UnaryOperator<CertificateBuilder> certificate) {
    var issued = daemon.ca().issue(b -> certificate.apply(b.subject("O=test")));
    try (Caller caller = daemon.as(issued)) {
      if (allowed) {
        assertThat(caller.generateMac("alias/orders", "hello")).hasSize(32);
      } else {
        denied(caller, "alias/orders");
      }
      denied(caller, "alias/invoices");
    }
  }

  static Stream<Arguments> refusedCertificates() {
    return Stream.of(
        refused("CN in the form of a SPIFFE ID", b -> b.subject("CN=spiffe://test/orders")),
        refused("CN in the form of a uid", b -> b.subject("CN=uid:" + uid())),
        refused(
            "parent segment in a SPIFFE ID",
            b -> b.addSanUriName(URI.create("spiffe://other/x/../y"))),
        refused(
            "malformed SPIFFE ID and a DNS name",
            b -> b.addSanUriName(URI.create("spiffe://other/")).addSanDnsName("billing.example")),
        refused(
            "certificate of an authority",
            b -> b.subject("CN=billing").setIsCertificateAuthority(true)),
        refused("no name", b -> b));
  }

  private static Arguments refused(String name, UnaryOperator<CertificateBuilder> certificate) {
    return argumentSet(name, certificate);
  }

  /// The connection is established, and each call on it is refused.
  @ParameterizedTest
  @MethodSource("refusedCertificates")
  void certificateThatBreaksARuleIsNoCaller(UnaryOperator<CertificateBuilder> certificate) {
    var issued = daemon.ca().issue(b -> certificate.apply(b.subject("O=test")));
    try (LogWatch log = LogWatch.start();
        Caller caller = daemon.as(issued)) {
      assertThatThrownBy(() -> caller.generateMac("alias/orders", "hello"))
          .satisfies(failsWith(Code.UNAUTHENTICATED, "UNAUTHENTICATED"));
      log.assertQuietExcept("TLS handshakes failed");
    }
  }

  @Test
  void processOnTheSocketHasThePermissionsOfItsUser() {
    Caller local = daemon.onSocket();
    assertThat(local.generateMac("alias/orders", "hello")).hasSize(32);
    denied(local, "alias/invoices");
  }

  @Test
  void ruleForAnotherUserDoesNotApply() {
    try (var other =
        LoopbackDaemon.withAdmin().rule("uid:" + (uid() + 1), "[\"*\"]", "*").start()) {
      String key = other.as("admin").createKey(KeySpec.KEY_SPEC_HMAC_256);
      denied(other.onSocket(), key);
    }
  }

  @Test
  void aliasRuleAllowsItsKeyByEachName() {
    Caller caller = daemon.as("orders");
    for (String name :
        List.of(orders, ARN + "key/" + orders, "alias/orders", ARN + "alias/orders")) {
      assertThat(caller.generateMac(name, "hello")).isEqualTo(admin.generateMac(orders, "hello"));
    }
    for (String name :
        List.of(invoices, ARN + "key/" + invoices, "alias/invoices", ARN + "alias/invoices")) {
      denied(caller, name);
    }
  }

  @Test
  void aliasRuleFollowsTheAlias() {
    String first = admin.createKey(KeySpec.KEY_SPEC_HMAC_256);
    String second = admin.createKey(KeySpec.KEY_SPEC_HMAC_256);
    Caller eu = daemon.as("eu");
    denied(eu, first);

    admin.createAlias("alias/eu/moving", first);
    assertThat(eu.generateMac(first, "hello")).hasSize(32);
    denied(eu, second);

    var _ =
        admin
            .keys()
            .updateAlias(
                UpdateAliasRequest.newBuilder()
                    .setAliasName("alias/eu/moving")
                    .setTargetKeyId(second)
                    .build());
    denied(eu, first);
    assertThat(eu.generateMac(second, "hello")).hasSize(32);

    var _ =
        admin
            .keys()
            .deleteAlias(DeleteAliasRequest.newBuilder().setAliasName("alias/eu/moving").build());
    denied(eu, second);
    denied(eu, "alias/eu/moving");
  }

  @Test
  void missingKeyIsNotFoundForCallersThatMayDescribeAllKeys() {
    Caller describer = daemon.as("describer");
    for (String name : List.of(UNKNOWN, ARN + "key/" + UNKNOWN, "alias/none", ARN + "alias/none")) {
      for (Caller caller : List.of(admin, describer)) {
        assertThatThrownBy(() -> caller.generateMac(name, "hello"))
            .as(name)
            .satisfies(failsWith(Code.NOT_FOUND, "KEY_NOT_FOUND", "key_id", name));
      }
      for (Caller caller : List.of(signer, reader, stranger)) {
        denied(caller, name);
      }
    }
  }
}

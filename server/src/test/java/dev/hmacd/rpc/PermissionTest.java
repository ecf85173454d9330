package dev.hmacd.rpc;

import static dev.hmacd.testing.Reasons.failsWith;
import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.params.provider.Arguments.argumentSet;

import com.google.protobuf.ByteString;
import dev.hmacd.access.Action;
import dev.hmacd.testing.Caller;
import dev.hmacd.testing.LoopbackDaemon;
import dev.hmacd.v1.AdoptKeyRequest;
import dev.hmacd.v1.CreateAliasRequest;
import dev.hmacd.v1.CreateKeyRequest;
import dev.hmacd.v1.DeleteAliasRequest;
import dev.hmacd.v1.DescribeKeyRequest;
import dev.hmacd.v1.GenerateRandomRequest;
import dev.hmacd.v1.KeySpec;
import dev.hmacd.v1.ListAliasesRequest;
import dev.hmacd.v1.ListKeysRequest;
import dev.hmacd.v1.MacAlgorithm;
import dev.hmacd.v1.UpdateAliasRequest;
import dev.hmacd.v1.VerifyMacRequest;
import io.grpc.Status.Code;
import io.netty.pkitesting.CertificateBuilder;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.function.BiConsumer;
import java.util.function.UnaryOperator;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/// Permissions over gRPC, for each kind of authentication and each form of a key's name.
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
        caller("CN in the form of a SPIFFE ID", false, b -> b.subject("CN=spiffe://test/orders")),
        caller("CN in the form of a uid", false, b -> b.subject("CN=uid:" + uid())));
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

  static Stream<Arguments> actions() {
    ByteString message = ByteString.copyFromUtf8("hello");
    return Stream.of(
        action(
            "VerifyMac",
            (caller, key) ->
                caller
                    .macs()
                    .verifyMac(
                        VerifyMacRequest.newBuilder()
                            .setKeyId(key)
                            .setMessage(message)
                            .setMac(message)
                            .setMacAlgorithm(MacAlgorithm.MAC_ALGORITHM_HMAC_SHA_256)
                            .build())),
        action(
            "DescribeKey",
            (caller, key) ->
                caller.keys().describeKey(DescribeKeyRequest.newBuilder().setKeyId(key).build())),
        action(
            "CreateKey",
            (caller, _) ->
                caller
                    .keys()
                    .createKey(
                        CreateKeyRequest.newBuilder()
                            .setKeySpec(KeySpec.KEY_SPEC_HMAC_256)
                            .build())),
        action(
            "AdoptKey",
            (caller, _) ->
                caller
                    .keys()
                    .adoptKey(
                        AdoptKeyRequest.newBuilder()
                            .setObjectLabel("orders")
                            .setKeySpec(KeySpec.KEY_SPEC_HMAC_256)
                            .build())),
        action(
            "ListKeys",
            (caller, _) -> caller.keys().listKeys(ListKeysRequest.getDefaultInstance())),
        action(
            "CreateAlias",
            (caller, key) ->
                caller
                    .keys()
                    .createAlias(
                        CreateAliasRequest.newBuilder()
                            .setAliasName("alias/mine")
                            .setTargetKeyId(key)
                            .build())),
        action(
            "UpdateAlias",
            (caller, key) ->
                caller
                    .keys()
                    .updateAlias(
                        UpdateAliasRequest.newBuilder()
                            .setAliasName("alias/orders")
                            .setTargetKeyId(key)
                            .build())),
        action(
            "DeleteAlias",
            (caller, _) ->
                caller
                    .keys()
                    .deleteAlias(
                        DeleteAliasRequest.newBuilder().setAliasName("alias/orders").build())),
        action(
            "ListAliases",
            (caller, key) ->
                caller.keys().listAliases(ListAliasesRequest.newBuilder().setKeyId(key).build())),
        action(
            "GenerateRandom",
            (caller, _) ->
                caller
                    .random()
                    .generateRandom(
                        GenerateRandomRequest.newBuilder().setNumberOfBytes(1).build())));
  }

  private static Arguments action(String name, BiConsumer<Caller, String> call) {
    return argumentSet(name, name, call);
  }

  /// Each action other than the action of the rule, on a key of the rule.
  @ParameterizedTest
  @MethodSource("actions")
  void ruleForOneActionAllowsNoOtherAction(String action, BiConsumer<Caller, String> call) {
    assertThat(signer.generateMac(orders, "hello")).hasSize(32);
    assertThatThrownBy(() -> call.accept(signer, orders))
        .satisfies(failsWith(Code.PERMISSION_DENIED, "ACCESS_DENIED", "action", action));
  }

  private static final Pattern DETAILS = Pattern.compile("details-bin=([A-Za-z0-9+/=]+)");
  private static final String REQUEST_ID = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}";

  /// The complete answer to a denied caller: status, headers and trailers.
  private static String refusal(Caller caller, BiConsumer<Caller, String> call, String key) {
    List<String> answers = new ArrayList<>();
    assertThatThrownBy(() -> call.accept(caller.recording(answers), key))
        .satisfies(failsWith(Code.PERMISSION_DENIED, "ACCESS_DENIED"));
    assertThat(answers).singleElement().asString().contains("grpc-status-details-bin");
    return withoutRequestId(answers.getFirst());
  }

  /// The end of a call, with its details as text and without its request id, which differs in each
  /// call.
  private static String withoutRequestId(String answers) {
    Matcher details = DETAILS.matcher(answers);
    assertThat(details.find()).isTrue();
    String decoded = new String(Base64.getDecoder().decode(details.group(1)), ISO_8859_1);
    String all = answers.replace(details.group(1), decoded);
    assertThat(all).containsPattern(REQUEST_ID);
    return all.replaceAll(REQUEST_ID, "");
  }

  static Stream<Arguments> allActions() {
    return Stream.concat(
        actions(),
        Stream.of(action("GenerateMac", (caller, key) -> caller.generateMac(key, "hello"))));
  }

  @ParameterizedTest
  @MethodSource("allActions")
  void answersForExistingAndMissingKeysAreEqualForADeniedCaller(
      String action, BiConsumer<Caller, String> call) {
    for (Caller caller : List.of(stranger, reader)) {
      String refusal = refusal(caller, call, invoices);
      assertThat(refusal).contains(action);
      for (String name :
          List.of(
              UNKNOWN,
              ARN + "key/" + UNKNOWN,
              ARN + "key/" + invoices,
              "alias/none",
              "alias/invoices",
              ARN + "alias/none",
              ARN + "alias/invoices")) {
        assertThat(refusal(caller, call, name)).as(name).isEqualTo(refusal);
      }
    }
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

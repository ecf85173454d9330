package dev.hmacd.awskms;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.params.provider.Arguments.argumentSet;

import dev.hmacd.key.ArnScope;
import dev.hmacd.mac.Failure;
import dev.hmacd.testing.JsonTree;
import dev.hmacd.testing.KmsItem;
import dev.hmacd.testing.LoopbackDaemon;
import dev.hmacd.testing.RawHttp1;
import dev.hmacd.testing.SoftHsm;
import dev.hmacd.token.FaultyToken;
import dev.hmacd.token.FaultyToken.Call;
import java.io.IOException;
import java.math.BigDecimal;
import java.time.Instant;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/// What of AWS KMS's protocol its clients do not let a program say, or hide from it.
final class WireTest {
  private static final SoftHsm hsm = SoftHsm.shared();
  private static final FaultyToken token = new FaultyToken(hsm.token());
  private static final LoopbackDaemon daemon =
      LoopbackDaemon.on(hsm)
          .awsKms()
          .awsLimit("max_call_time: 3s")
          .allowingUserAll("admin")
          .token("lanes: 1")
          .wrapping(_ -> token);

  @SuppressWarnings("NullAway.Init") // By start().
  private static AwsCaller caller;

  @SuppressWarnings("NullAway.Init") // By start().
  private static String key;

  @BeforeAll
  static void start() throws IOException {
    daemon.start();
    caller = new AwsCaller(daemon, "admin");
    key = caller.createKey("HMAC_256");
  }

  @AfterAll
  static void stop() throws IOException {
    caller.close();
    daemon.close();
  }

  private static String mac(String keyId, String algorithm) {
    return "{\"KeyId\":\"%s\",\"Message\":\"aGVsbG8=\",\"MacAlgorithm\":\"%s\"}"
        .formatted(keyId, algorithm);
  }

  private static void assertError(RawHttp1.Answer answer, int status, Map<String, String> members) {
    assertThat(answer.status()).as(answer.body()).isEqualTo(status);
    assertThat(answer.headers()).containsEntry("content-type", "application/x-amz-json-1.1");
    assertThat(JsonTree.object(answer.body())).isEqualTo(members);
  }

  private static void assertError(RawHttp1.Answer answer, String code) {
    assertError(answer, 400, Map.of("__type", code));
  }

  private static void assertError(RawHttp1.Answer answer, String code, String message) {
    assertError(answer, 400, Map.of("__type", code, "message", message));
  }

  @Test
  @KmsItem("1.3")
  void timesAreSecondsWithAFraction() throws IOException {
    long now = Instant.now().getEpochSecond();
    String body =
        caller
            .call("CreateKey", "{\"KeySpec\":\"HMAC_256\",\"KeyUsage\":\"GENERATE_VERIFY_MAC\"}")
            .body();
    assertThat(body).containsPattern("\"CreationDate\":[0-9]{10}\\.[0-9]{3},");
    var metadata = (Map<?, ?>) JsonTree.object(body).get("KeyMetadata");
    var created = (BigDecimal) Objects.requireNonNull(metadata).get("CreationDate");
    assertThat(Objects.requireNonNull(created).longValue()).isBetween(now - 1, now + 20);
  }

  @ParameterizedTest
  @CsvSource({"224,28", "256,32", "384,48", "512,64"})
  @KmsItem("5.6")
  void macIsAsLongAsItsHash(int bits, int bytes) throws IOException {
    String made =
        caller
            .call("GenerateMac", mac(caller.createKey("HMAC_" + bits), "HMAC_SHA_" + bits))
            .body();
    var base64 = (String) Objects.requireNonNull(JsonTree.object(made).get("Mac"));
    assertThat(Base64.getDecoder().decode(base64)).hasSize(bytes);
  }

  @ParameterizedTest
  @ValueSource(strings = {"GenerateMAC", "generateMac", "", "GenerateMac/", "Foo"})
  @KmsItem("1.11")
  void operationThatAwsDoesNotHaveIsUnknown(String name) throws IOException {
    assertError(caller.call(name, "{}"), "UnknownOperationException");
  }

  @Test
  @KmsItem("1.11")
  void operationOfAnotherServiceIsUnknown() throws IOException {
    var headers = SdkSigner.headers(Map.of("X-Amz-Target", "DynamoDB_20120810.ListTables"));
    Request request =
        caller.signer(Instant.now()).sign(caller.endpoint(), headers, "{}".getBytes(UTF_8));
    assertError(caller.call(request), "UnknownOperationException");
    Request none =
        caller.signer(Instant.now()).sign(caller.endpoint(), Map.of(), "{}".getBytes(UTF_8));
    assertError(caller.call(none), "UnknownOperationException");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "{",
        "{}}",
        "{} {}",
        "[]",
        "null",
        "1",
        "\"\"",
        "{KeyId:\"a\"}",
        "{'KeyId':'a'}",
        "{\"KeyId\":\"a\",}",
        "{\"KeyId\":\"a\",\"KeyId\":\"a\"}",
        "{\"KeyId\":1}",
        "{\"KeyId\":[\"a\"]}",
        "{\"KeyId\":{\"a\":\"b\"}}",
        "{\"KeyId\":\"\\ud800\"}",
        "{\"KeyId\":\"a\\u00\"}",
        "{\"Message\":5}",
        "{\"Message\":\"%\"}",
        "{\"DryRun\":\"true\"}",
        "{\"DryRun\":0}",
        "{\"GrantTokens\":\"a\"}",
        "{\"GrantTokens\":[1]}",
        "{\"GrantTokens\":[null]}",
        "{\"Foo\":NaN}",
        "{\"Foo\":01}",
        "// comment\n{}",
        "\u0000{}",
      })
  @KmsItem("1.12")
  void bodyThatIsNotOfTheModelIsNotRead(String body) throws IOException {
    assertError(caller.call("GenerateMac", body), "SerializationException");
  }

  @Test
  @KmsItem("4.31")
  void memberThatTheModelDoesNotHaveIsIgnored() throws IOException {
    String input = mac(key, "HMAC_SHA_256");
    String more = input.replace("{", "{\"MessageType\":\"DIGEST\",\"New\":{\"a\":[1,null]},");
    RawHttp1.Answer answer = caller.call("GenerateMac", more);
    assertThat(answer.status()).isEqualTo(200);
    assertThat(answer.body()).isEqualTo(caller.call("GenerateMac", input).body());
  }

  @Test
  @KmsItem("7.16")
  void signatureIsLookedAtBeforeAnythingElse() throws IOException {
    Request request = caller.signed("GenerateMac", "{");
    var changed =
        new Request(
            request.method(), request.path(), request.query(), request.headers(), new byte[] {'['});
    assertThat(JsonTree.object(caller.call(changed).body()).get("__type"))
        .isEqualTo("InvalidSignatureException");
  }

  @Test
  @KmsItem("2.5")
  void requestWithoutAuthorizationIsRefused() throws IOException {
    var headers = new Headers().add("host", "localhost").add("x-amz-target", "TrentService.Foo");
    assertError(
        caller.call(new Request("POST", "/", "", headers, new byte[0])),
        "MissingAuthenticationTokenException",
        "Missing Authentication Token");
  }

  static Stream<Arguments> malformed() {
    String missing =
        "Authorization header requires 'Credential' parameter. Authorization header requires"
            + " 'Signature' parameter. Authorization header requires 'SignedHeaders' parameter."
            + " Authorization header requires existence of either a 'X-Amz-Date' or a 'Date'"
            + " header. Authorization=";
    return Stream.of(
        argumentSet(
            "a piece without =",
            "AWS4-HMAC-SHA256 Credential",
            "'Credential' not a valid key=value pair (missing equal-sign) in Authorization header:"
                + " 'AWS4-HMAC-SHA256 Credential'."),
        argumentSet(
            "another scheme",
            "Bearer abc",
            "'abc' not a valid key=value pair (missing equal-sign) in Authorization header: 'Bearer"
                + " abc'."),
        argumentSet("nothing", "AWS4-HMAC-SHA256", missing + "AWS4-HMAC-SHA256"));
  }

  @ParameterizedTest
  @MethodSource("malformed")
  @KmsItem("2.6")
  void authorizationThatIsMalformedIsRefused(String header, String message) throws IOException {
    var headers = new Headers().add("host", "localhost").add("authorization", header);
    assertError(
        caller.call(new Request("POST", "/", "", headers, new byte[0])),
        "IncompleteSignatureException",
        message);
  }

  @Test
  @KmsItem("2.11")
  void whateverIsListedAsSignedIsVerified() throws IOException {
    Map<String, String> headers = new LinkedHashMap<>(AwsCaller.headers("GenerateMac"));
    headers.put("amz-sdk-invocation-id", "e1a8c6c0-0000-4000-8000-000000000000");
    headers.put("amz-sdk-request", "attempt=1; max=1");
    headers.put("x-amz-user-agent", "aws-sdk-js/3.1162.0");
    byte[] body = mac(key, "HMAC_SHA_256").getBytes(UTF_8);
    Request request =
        caller.signer(Instant.now()).sign(caller.endpoint(), SdkSigner.headers(headers), body);
    assertThat(request.headers().only("authorization").orElseThrow())
        .contains("amz-sdk-invocation-id;amz-sdk-request");
    assertThat(caller.call(request).status()).isEqualTo(200);
    var changed = new Headers();
    request
        .headers()
        .forEach(
            (name, value) ->
                changed.add(name, name.equals("amz-sdk-request") ? "attempt=2; max=1" : value));
    assertThat(caller.call(new Request("POST", "/", "", changed, body)).body())
        .contains("\"InvalidSignatureException\"");
  }

  @Test
  @KmsItem({"1.9", "1.10"})
  void answerThatTakesTooLongIsAServerFault() throws IOException {
    String other = caller.createKey("HMAC_256");
    try (var _ = token.blocking(Call.SIGN)) {
      RawHttp1.Answer answer = caller.call("GenerateMac", mac(other, "HMAC_SHA_256"));
      assertThat(answer.status()).as(answer.body()).isEqualTo(503);
      assertThat(JsonTree.object(answer.body()).get("__type"))
          .isEqualTo("DependencyTimeoutException");
    }
  }

  @Test
  @KmsItem({"1.9", "1.10"})
  void defectIsAServerFaultThatTellsNothing() {
    var failures = new Failures(new ArnScope("aws", "eu-central-1", "123456789012"));
    AwsError error =
        failures.of(new Failure.Unforeseen(new IllegalStateException("secret")), "Foo", null);
    assertThat(error.status()).isEqualTo(500);
    assertThat(error.code()).isEqualTo("KMSInternalException");
    assertThat(error.message()).doesNotContain("secret", "IllegalState");
  }
}

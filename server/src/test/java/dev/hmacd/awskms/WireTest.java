package dev.hmacd.awskms;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.params.provider.Arguments.argumentSet;

import dev.hmacd.http.Headers;
import dev.hmacd.http.Request;
import dev.hmacd.key.ArnScope;
import dev.hmacd.key.Tag;
import dev.hmacd.sigv4.SdkSigner;
import dev.hmacd.testing.AwsCaller;
import dev.hmacd.testing.JsonTree;
import dev.hmacd.testing.KmsItem;
import dev.hmacd.testing.LoopbackDaemon;
import dev.hmacd.testing.RawHttp1;
import dev.hmacd.testing.SoftHsm;
import dev.hmacd.token.FaultyToken;
import dev.hmacd.token.FaultyToken.Call;
import dev.hmacd.usecase.Failure;
import java.io.IOException;
import java.math.BigDecimal;
import java.time.Instant;
import java.util.Base64;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/// Parts of AWS KMS's protocol that its clients cannot send, or do not show.
final class WireTest {
  private static final SoftHsm hsm = SoftHsm.shared();
  private static final FaultyToken token = new FaultyToken(hsm.token());
  private static final LoopbackDaemon daemon =
      LoopbackDaemon.on(hsm)
          .awsKms()
          .awsLimit("max_call_time: 8s")
          .allowingUserAll("admin")
          .token("lanes: 1")
          // The token stays in service while a call takes longer than max_call_time.
          .token("probe_timeout: 5m")
          .token("hang_timeout: 5m")
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
  @KmsItem("WIRE-3")
  void timestampsAreSecondsWithAFraction() throws IOException {
    long now = Instant.now().getEpochSecond();
    String body =
        caller
            .call("CreateKey", "{\"KeySpec\":\"HMAC_256\",\"KeyUsage\":\"GENERATE_VERIFY_MAC\"}")
            .body();
    assertThat(body).containsPattern("\"CreationDate\":[0-9]{10}\\.[0-9]{3},");
    var metadata = (Map<?, ?>) JsonTree.object(body).get("KeyMetadata");
    var created = (BigDecimal) Objects.requireNonNull(metadata).get("CreationDate");
    assertThat(Objects.requireNonNull(created).longValue()).isBetween(now - 1, now + 120);
  }

  @ParameterizedTest
  @CsvSource({"224,28", "256,32", "384,48", "512,64"})
  @KmsItem("META-6")
  void macHasTheLengthOfItsHash(int bits, int bytes) throws IOException {
    String made =
        caller
            .call(
                "GenerateMac",
                AwsCaller.macOf(caller.createKey("HMAC_" + bits), "hello", "HMAC_SHA_" + bits))
            .body();
    var base64 = (String) Objects.requireNonNull(JsonTree.object(made).get("Mac"));
    assertThat(Base64.getDecoder().decode(base64)).hasSize(bytes);
  }

  @ParameterizedTest
  @ValueSource(strings = {"GenerateMAC", "generateMac", "", "GenerateMac/", "Foo"})
  @KmsItem("WIRE-11")
  void unknownOperationIsRefused(String name) throws IOException {
    assertError(caller.call(name, "{}"), "UnknownOperationException");
  }

  @Test
  @KmsItem("WIRE-11")
  void operationOfAnotherServiceIsRefused() throws IOException {
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
  @KmsItem("WIRE-12")
  void bodyThatIsNotOfTheModelIsASerializationError(String body) throws IOException {
    assertError(caller.call("GenerateMac", body), "SerializationException");
  }

  @Test
  @KmsItem("OP-31")
  void unknownMemberIsIgnored() throws IOException {
    String input = AwsCaller.macOf(key);
    String more = input.replace("{", "{\"MessageType\":\"DIGEST\",\"New\":{\"a\":[1,null]},");
    RawHttp1.Answer answer = caller.call("GenerateMac", more);
    assertThat(answer.status()).isEqualTo(200);
    assertThat(answer.body()).isEqualTo(caller.call("GenerateMac", input).body());
  }

  @Test
  @KmsItem("MAC-16")
  void signatureIsCheckedFirst() throws IOException {
    Request request = caller.signed("GenerateMac", "{");
    var changed =
        new Request(
            request.method(), request.path(), request.query(), request.headers(), new byte[] {'['});
    assertThat(JsonTree.object(caller.call(changed).body()).get("__type"))
        .isEqualTo("InvalidSignatureException");
  }

  @Test
  @KmsItem("AUTH-5")
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
            "parameter without =",
            "AWS4-HMAC-SHA256 Credential",
            "'Credential' not a valid key=value pair (missing equal-sign) in Authorization header:"
                + " 'AWS4-HMAC-SHA256 Credential'."),
        argumentSet(
            "another scheme",
            "Bearer abc",
            "'abc' not a valid key=value pair (missing equal-sign) in Authorization header: 'Bearer"
                + " abc'."),
        argumentSet("no parameter", "AWS4-HMAC-SHA256", missing + "AWS4-HMAC-SHA256"));
  }

  @ParameterizedTest
  @MethodSource("malformed")
  @KmsItem("AUTH-6")
  void malformedAuthorizationIsRefused(String header, String message) throws IOException {
    var headers = new Headers().add("host", "localhost").add("authorization", header);
    assertError(
        caller.call(new Request("POST", "/", "", headers, new byte[0])),
        "IncompleteSignatureException",
        message);
  }

  @Test
  @KmsItem("AUTH-11")
  void eachSignedHeaderIsVerified() throws IOException {
    Map<String, String> headers = new LinkedHashMap<>(AwsCaller.headers("GenerateMac"));
    headers.put("amz-sdk-invocation-id", "e1a8c6c0-0000-4000-8000-000000000000");
    headers.put("amz-sdk-request", "attempt=1; max=1");
    headers.put("x-amz-user-agent", "aws-sdk-js/3.1162.0");
    byte[] body = AwsCaller.macOf(key).getBytes(UTF_8);
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
  @KmsItem({"WIRE-9", "WIRE-10"})
  void callAboveTheTimeLimitIsAServerFault() throws IOException {
    String other = caller.createKey("HMAC_256");
    try (var _ = token.blocking(Call.SIGN)) {
      RawHttp1.Answer answer = caller.call("GenerateMac", AwsCaller.macOf(other));
      assertThat(answer.status()).as(answer.body()).isEqualTo(503);
      assertThat(JsonTree.object(answer.body()).get("__type"))
          .isEqualTo("DependencyTimeoutException");
    }
  }

  @Test
  @KmsItem({"WIRE-9", "WIRE-10"})
  void unforeseenFailureIsAServerFaultWithoutDetails() {
    var failures = new AwsErrors(new ArnScope("aws", "eu-central-1", "123456789012"));
    AwsError error =
        failures.of(new Failure.Unforeseen(new IllegalStateException("secret")), "Foo", null);
    assertThat(error.status()).isEqualTo(500);
    assertThat(error.code()).isEqualTo("KMSInternalException");
    assertThat(error.message()).doesNotContain("secret", "IllegalState");
  }

  /// Each operation with an empty input, and its missing members.
  @ParameterizedTest
  @CsvSource({
    "GenerateMac, message keyId macAlgorithm",
    "VerifyMac, message keyId macAlgorithm mac",
    "DescribeKey, keyId",
    "EnableKey, keyId",
    "DisableKey, keyId",
    "ScheduleKeyDeletion, keyId",
    "CancelKeyDeletion, keyId",
    "UpdateKeyDescription, keyId description",
    "CreateAlias, aliasName targetKeyId",
    "UpdateAlias, aliasName targetKeyId",
    "DeleteAlias, aliasName",
    "TagResource, keyId tags",
    "UntagResource, keyId tagKeys",
    "ListResourceTags, keyId",
    "GetKeyRotationStatus, keyId",
    "GetKeyPolicy, keyId",
    "ListKeyPolicies, keyId",
    "Sign, keyId message signingAlgorithm",
    "Verify, keyId message signature signingAlgorithm",
  })
  @KmsItem({
    "OP-2", "OP-3", "OP-5", "OP-7", "OP-8", "OP-9", "OP-10", "OP-11", "OP-12", "OP-13", "OP-23",
    "OP-24", "OP-25", "MAC-15", "MAC-17"
  })
  void missingMemberIsAValidationError(String operation, String missing) throws IOException {
    List<String> members = List.of(missing.split(" ", -1));
    String message =
        members.size()
            + (members.size() == 1
                ? " validation error detected: "
                : " validation errors detected: ")
            + members.stream()
                .map(
                    each ->
                        "Value null at '%s' failed to satisfy constraint: Member must not be null"
                            .formatted(each))
                .collect(Collectors.joining("; "));
    assertError(caller.call(operation, "{}"), "ValidationException", message);
  }

  @ParameterizedTest
  @ValueSource(strings = {"{}", "{\"NumberOfBytes\":null}"})
  @KmsItem("OP-36")
  void generateRandomWithoutANumberHasATextOfItsOwn(String input) throws IOException {
    assertError(
        caller.call("GenerateRandom", input), "ValidationException", "NumberOfBytes is required.");
    try (var nobody = new AwsCaller(daemon, "nobody")) {
      assertError(
          nobody.call("GenerateRandom", input),
          "ValidationException",
          "NumberOfBytes is required.");
    }
  }

  /// The shape is checked before the key and its usage.
  @ParameterizedTest
  @ValueSource(strings = {"Sign", "Verify"})
  @KmsItem("MAC-17")
  void unknownSigningAlgorithmIsAValidationError(String operation) throws IOException {
    String other = "00000000-0000-4000-8000-000000000000";
    for (String keyId : List.of(key, other, "not a key id")) {
      String input =
          "{'KeyId':'%s','Message':'aGVsbG8=','Signature':'AAAA','SigningAlgorithm':'NONE'}"
              .formatted(keyId)
              .replace('\'', '"');
      RawHttp1.Answer answer = caller.call(operation, input);
      assertThat(answer.status()).isEqualTo(400);
      Map<String, ?> error = JsonTree.object(answer.body());
      assertThat(error.get("__type")).isEqualTo("ValidationException");
      assertThat(error.get("message"))
          .asString()
          .startsWith(
              "1 validation error detected: Value 'NONE' at 'signingAlgorithm' failed to satisfy"
                  + " constraint: Member must satisfy enum value set: [RSASSA_PSS_SHA_256, ");
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"/kms", "/index.html", "//", "/kms?Action=GenerateMac"})
  void pathOtherThanRootIsRefusedInTheFormOfAws(String target) throws IOException {
    Request good = caller.signed("GenerateMac", AwsCaller.macOf(key));
    Request request = Request.of("POST", target, good.headers(), good.body());
    try (RawHttp1 connection = RawHttp1.to(daemon.awsPort())) {
      assertError(
          connection.write(AwsCaller.bytes(request)).read(),
          404,
          Map.of(
              "__type",
              "UnknownOperationException",
              "message",
              "The path of a request must be /: configure the endpoint without a path, and a proxy"
                  + " without a path rewrite."));
    }
  }

  /// nginx speaks HTTP/1.0 to its upstream, if its configuration sets no other version.
  @Test
  void requestOfAProxyWithHttp10IsRefusedWithTheRemedy() throws IOException {
    Request good = caller.signed("GenerateMac", AwsCaller.macOf(key));
    String bytes = new String(AwsCaller.bytes(good), ISO_8859_1);
    try (RawHttp1 connection = RawHttp1.to(daemon.awsPort())) {
      connection.write(bytes.replaceFirst("HTTP/1.1", "HTTP/1.0"));
      RawHttp1.Answer answer = connection.read();
      assertError(
          answer,
          505,
          Map.of(
              "__type",
              "HttpVersionNotSupportedException",
              "message",
              "Only HTTP/1.1 and HTTP/2 are supported: a proxy must not use HTTP/1.0 (nginx:"
                  + " proxy_http_version 1.1)."));
      assertThat(answer.headers()).containsEntry("connection", "close");
      assertThat(connection.isClosedByPeer()).isTrue();
    }
  }

  @Test
  void untagResourceOfMoreTagsThanAKeyCanHaveIsRefused() throws IOException {
    String tagKeys = "\"a\",".repeat(Tag.MAX_PER_KEY) + "\"a\"";
    assertError(
        caller.call("UntagResource", "{\"KeyId\":\"%s\",\"TagKeys\":[%s]}".formatted(key, tagKeys)),
        "TagException",
        "Too many tags");
  }

  @Test
  @KmsItem("TAG-2")
  void missingMemberOfATagIsAValidationError() throws IOException {
    assertError(
        caller.call("TagResource", "{\"KeyId\":\"%s\",\"Tags\":[{}]}".formatted(key)),
        "ValidationException",
        "2 validation errors detected: Value null at 'tags.1.member.tagKey' failed to satisfy"
            + " constraint: Member must not be null; Value null at 'tags.1.member.tagValue' failed"
            + " to satisfy constraint: Member must not be null");
  }

  private static Map<?, ?> metadata(String keyId) throws IOException {
    String body = caller.call("DescribeKey", "{\"KeyId\":\"%s\"}".formatted(keyId)).body();
    return (Map<?, ?>) Objects.requireNonNull(JsonTree.object(body).get("KeyMetadata"));
  }

  @Test
  @KmsItem("META-5")
  void keyIdIsAUuidInTheArn() throws IOException {
    String uuid = "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}";
    assertThat((String) metadata(key).get("Arn"))
        .matches("arn:aws:kms:eu-central-1:[0-9]{12}:key/" + uuid);
  }

  @ParameterizedTest
  @CsvSource({"'', 30", "',\"PendingWindowInDays\":7', 7"})
  @KmsItem({"DEL-1", "DEL-2"})
  void deletionIsDueAfterTheWaitingPeriod(String window, int days) throws IOException {
    String doomed = caller.createKey("HMAC_256");
    long now = Instant.now().getEpochSecond();
    String body =
        caller.call("ScheduleKeyDeletion", "{\"KeyId\":\"%s\"%s}".formatted(doomed, window)).body();
    var at = (BigDecimal) Objects.requireNonNull(JsonTree.object(body).get("DeletionDate"));
    assertThat(at.longValue() - now).isBetween(days * 86_400L - 1, days * 86_400L + 120);
    assertThat(metadata(doomed).get("DeletionDate")).isEqualTo(at);
  }

  @Test
  @KmsItem({"ALIAS-5", "ALIAS-6", "PAGE-1"})
  void keyAndPageHaveAtMostFiftyAliases() throws IOException {
    String named = caller.createKey("HMAC_256");
    for (int i = 100; i < 150; i++) {
      assertThat(caller.call("CreateAlias", page(i, named)).status()).isEqualTo(200);
    }
    assertError(
        caller.call("CreateAlias", page(150, named)),
        "LimitExceededException",
        "aliases of one key: at most 50");
    assertThat(caller.call("CreateAlias", page(151, key)).status()).isEqualTo(200);
    Map<?, ?> first = aliases("{}");
    assertThat((List<?>) first.get("Aliases")).hasSize(50);
    assertThat(first.get("Truncated")).isEqualTo(true);
    Map<?, ?> whole = aliases("{\"Limit\":1000}");
    assertThat((List<?>) whole.get("Aliases")).hasSizeGreaterThan(50);
    assertThat(whole.get("Truncated")).isEqualTo(false);

    assertThat(caller.call("UpdateAlias", page(100, named)).status()).isEqualTo(200);
    Map<?, ?> changed = aliases("{\"KeyId\":\"%s\",\"Limit\":1}".formatted(named));
    var alias = (Map<?, ?>) ((List<?>) Objects.requireNonNull(changed.get("Aliases"))).getFirst();
    var created = (BigDecimal) Objects.requireNonNull(alias.get("CreationDate"));
    var updated = (BigDecimal) Objects.requireNonNull(alias.get("LastUpdatedDate"));
    assertThat(updated).isGreaterThan(created);
  }

  private static String page(int number, String target) {
    return "{\"AliasName\":\"alias/page-%d\",\"TargetKeyId\":\"%s\"}".formatted(number, target);
  }

  private static Map<?, ?> aliases(String input) throws IOException {
    return JsonTree.object(caller.call("ListAliases", input).body());
  }

  @Test
  @KmsItem("OP-29")
  void randomBytesHaveTheRequestedLengthAndDiffer() throws IOException {
    Set<String> seen = new HashSet<>();
    for (int i = 0; i < 20; i++) {
      String body = caller.call("GenerateRandom", "{\"NumberOfBytes\":32}").body();
      var base64 = (String) Objects.requireNonNull(JsonTree.object(body).get("Plaintext"));
      assertThat(Base64.getDecoder().decode(base64)).hasSize(32);
      assertThat(seen.add(base64)).isTrue();
    }
  }
}

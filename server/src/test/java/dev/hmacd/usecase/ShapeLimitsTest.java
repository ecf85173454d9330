package dev.hmacd.usecase;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.params.provider.Arguments.argumentSet;

import com.google.protobuf.ByteString;
import com.google.rpc.ErrorInfo;
import dev.hmacd.testing.AwsCaller;
import dev.hmacd.testing.Caller;
import dev.hmacd.testing.JsonTree;
import dev.hmacd.testing.LoopbackDaemon;
import dev.hmacd.testing.RawHttp1;
import dev.hmacd.testing.Reasons;
import dev.hmacd.testing.RegistryHold;
import dev.hmacd.testing.SoftHsm;
import dev.hmacd.token.FaultyToken;
import dev.hmacd.v1.AdoptKeyRequest;
import dev.hmacd.v1.CreateAccessKeyRequest;
import dev.hmacd.v1.CreateKeyRequest;
import dev.hmacd.v1.DeleteAccessKeyRequest;
import dev.hmacd.v1.DescribeKeyRequest;
import dev.hmacd.v1.DisableAccessKeyRequest;
import dev.hmacd.v1.KeySpec;
import dev.hmacd.v1.ListAccessKeysRequest;
import dev.hmacd.v1.ListAliasesRequest;
import dev.hmacd.v1.ListKeysRequest;
import dev.hmacd.v1.ListResourceTagsRequest;
import dev.hmacd.v1.MacAlgorithm;
import dev.hmacd.v1.ScheduleKeyDeletionRequest;
import dev.hmacd.v1.Tag;
import dev.hmacd.v1.TagResourceRequest;
import dev.hmacd.v1.UntagResourceRequest;
import dev.hmacd.v1.UpdateKeyDescriptionRequest;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.IntFunction;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/// The limits of the fields in requests, over both edges: a request at each limit, and a request
/// one above it. The daemon refuses the second request before it uses the registry's thread or the
/// token.
final class ShapeLimitsTest {
  private static final String NO_KEY = "00000000-0000-4000-8000-000000000000";

  /// The members `KeySpec` and `KeyUsage` of CreateKey.
  private static final String SPEC =
      "\"KeySpec\":\"HMAC_256\",\"KeyUsage\":\"GENERATE_VERIFY_MAC\"";

  /// A character outside of the Basic Multilingual Plane: two UTF-16 code units.
  private static final String KEY_EMOJI = "\uD83D\uDD11";

  private static final RegistryHold registry = new RegistryHold();
  private static final FaultyToken token = new FaultyToken(SoftHsm.shared().token());
  private static final LoopbackDaemon daemon =
      LoopbackDaemon.withAdmin()
          .awsKms()
          .allowingUserAll("admin")
          .token("probe_interval: 1h")
          .wrapping(_ -> token)
          .clock(registry);

  @SuppressWarnings("NullAway.Init") // start() sets it.
  private static Caller admin;

  @SuppressWarnings("NullAway.Init") // start() sets it.
  private static AwsCaller aws;

  /// A key with few tags.
  private static String key = "";

  /// A key that gets as many tags as possible.
  private static String tagged = "";

  @BeforeAll
  static void start() throws IOException {
    admin = daemon.start().as("admin");
    aws = new AwsCaller(daemon, "admin");
    key = admin.createKey(KeySpec.KEY_SPEC_HMAC_256);
    tagged = admin.createKey(KeySpec.KEY_SPEC_HMAC_256);
    // The first MAC of a key can compute and store its check value.
    assertThat(admin.generateMac(key, "hello")).hasSize(32);
    // The token derives the signing key at the first request.
    assertThat(aws.call("ListKeys", "{}").status()).isEqualTo(200);
  }

  @AfterAll
  static void stop() throws IOException {
    aws.close();
    daemon.close();
  }

  /// A limit of one field of a method on one edge.
  ///
  /// @param limit the greatest permitted size of the field
  /// @param request sends a request with a size of the field; returns `OK`, or the error
  /// @param atLimit the expected result at the limit
  /// @param above the expected result for the next greater size
  record Limit(String name, int limit, IntFunction<String> request, String atLimit, String above) {
    @Override
    public String toString() {
      return name;
    }
  }

  /// A call over gRPC, with a size of one field.
  private interface GrpcCall {
    void send(int size);
  }

  /// The input of an operation of AWS KMS as JSON, with a size of one member.
  private interface AwsInput {
    String ofSize(int size);
  }

  private static Limit grpc(String name, int limit, GrpcCall call, String atLimit, String above) {
    return new Limit("gRPC: " + name, limit, size -> result(call, size), atLimit, above);
  }

  private static Limit aws(
      String operation, String member, int limit, AwsInput input, String atLimit, String above) {
    return new Limit(
        "AWS: " + operation + ": " + member,
        limit,
        size -> result(operation, input.ofSize(size)),
        atLimit,
        above);
  }

  /// The reason of the error, and the field in its metadata.
  private static String result(GrpcCall call, int size) {
    try {
      call.send(size);
      return "OK";
    } catch (StatusRuntimeException e) {
      ErrorInfo error = Reasons.info(e);
      return (error.getReason() + " " + error.getMetadataOrDefault("field", "")).strip();
    }
  }

  /// The code of the error.
  private static String result(String operation, String input) {
    try {
      RawHttp1.Answer answer = aws.call(operation, input);
      return answer.status() == 200
          ? "OK"
          : String.valueOf(JsonTree.object(answer.body()).get("__type"));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static String letters(int count) {
    return "a".repeat(count);
  }

  private static String zeros(int count) {
    return Base64.getEncoder().encodeToString(new byte[count]);
  }

  private static List<String> names(int count) {
    return IntStream.range(0, count).mapToObj(i -> "k" + i).toList();
  }

  private static List<Tag> tags(int count) {
    return names(count).stream().map(name -> tag(name, "")).toList();
  }

  private static Tag tag(String tagKey, String tagValue) {
    return Tag.newBuilder().setTagKey(tagKey).setTagValue(tagValue).build();
  }

  private static String awsTags(int count) {
    return names(count).stream().map(name -> awsTag(name, "")).collect(Collectors.joining(","));
  }

  private static String awsTag(String tagKey, String tagValue) {
    return "{\"TagKey\":\"%s\",\"TagValue\":\"%s\"}".formatted(tagKey, tagValue);
  }

  private static Stream<Limit> limits() {
    return Stream.of(
            keyLimits(), macLimits(), tagLimits(), aliasLimits(), pageLimits(), otherLimits())
        .flatMap(List::stream);
  }

  private static List<Limit> keyLimits() {
    return List.of(
        grpc(
            "DescribeKey: key_id",
            2048,
            n -> admin.describe(letters(n)),
            "INVALID_KEY_ID key_id",
            "INVALID_FIELD key_id"),
        aws(
            "DescribeKey",
            "KeyId",
            2048,
            n -> "{\"KeyId\":\"%s\"}".formatted(letters(n)),
            "NotFoundException",
            "ValidationException"),
        grpc(
            "DescribeKey: key_id of supplementary characters",
            2048,
            n -> admin.describe(KEY_EMOJI.repeat(n)),
            "INVALID_KEY_ID key_id",
            "INVALID_FIELD key_id"),
        aws(
            "DescribeKey",
            "KeyId of supplementary characters",
            2048,
            n -> "{\"KeyId\":\"%s\"}".formatted(KEY_EMOJI.repeat(n)),
            "NotFoundException",
            "ValidationException"),
        grpc(
            "DisableKey: key_id",
            2048,
            n -> admin.disable(letters(n)),
            "INVALID_KEY_ID key_id",
            "INVALID_FIELD key_id"),
        aws(
            "DisableKey",
            "KeyId",
            2048,
            n -> "{\"KeyId\":\"%s\"}".formatted(letters(n)),
            "NotFoundException",
            "ValidationException"),
        grpc(
            "CreateKey: description",
            8192,
            n -> admin.keys().createKey(newKey().setDescription(letters(n)).build()),
            "OK",
            "INVALID_FIELD description"),
        aws(
            "CreateKey",
            "Description",
            8192,
            n -> "{%s,\"Description\":\"%s\"}".formatted(SPEC, letters(n)),
            "OK",
            "ValidationException"),
        grpc(
            "UpdateKeyDescription: description",
            8192,
            n ->
                admin
                    .keys()
                    .updateKeyDescription(
                        UpdateKeyDescriptionRequest.newBuilder()
                            .setKeyId(key)
                            .setDescription(letters(n))
                            .build()),
            "OK",
            "INVALID_FIELD description"),
        aws(
            "UpdateKeyDescription",
            "Description",
            8192,
            n -> "{\"KeyId\":\"%s\",\"Description\":\"%s\"}".formatted(key, letters(n)),
            "OK",
            "ValidationException"),
        grpc(
            "ScheduleKeyDeletion: longest waiting period",
            30,
            ShapeLimitsTest::schedule,
            "KEY_NOT_FOUND",
            "INVALID_FIELD pending_window_in_days"),
        aws(
            "ScheduleKeyDeletion",
            "longest waiting period",
            30,
            ShapeLimitsTest::awsSchedule,
            "NotFoundException",
            "ValidationException"),
        // Size 0 is the shortest waiting period, size 1 is one day less.
        grpc(
            "ScheduleKeyDeletion: shortest waiting period",
            0,
            n -> schedule(7 - n),
            "KEY_NOT_FOUND",
            "INVALID_FIELD pending_window_in_days"),
        aws(
            "ScheduleKeyDeletion",
            "shortest waiting period",
            0,
            n -> awsSchedule(7 - n),
            "NotFoundException",
            "ValidationException"),
        grpc(
            "AdoptKey: object_label",
            256,
            n -> admin.adopt(letters(n), KeySpec.KEY_SPEC_HMAC_256),
            "TOKEN_OBJECT_NOT_FOUND",
            "INVALID_FIELD object_label"),
        grpc(
            "AdoptKey: object_id",
            256,
            n ->
                admin
                    .keys()
                    .adoptKey(
                        AdoptKeyRequest.newBuilder()
                            .setKeySpec(KeySpec.KEY_SPEC_HMAC_256)
                            .setObjectId(ByteString.copyFrom(new byte[n]))
                            .build()),
            "TOKEN_OBJECT_NOT_FOUND",
            "INVALID_FIELD object_id"));
  }

  private static CreateKeyRequest.Builder newKey() {
    return CreateKeyRequest.newBuilder().setKeySpec(KeySpec.KEY_SPEC_HMAC_256);
  }

  private static void schedule(int days) {
    var _ =
        admin
            .keys()
            .scheduleKeyDeletion(
                ScheduleKeyDeletionRequest.newBuilder()
                    .setKeyId(NO_KEY)
                    .setPendingWindowInDays(days)
                    .build());
  }

  private static String awsSchedule(int days) {
    return "{\"KeyId\":\"%s\",\"PendingWindowInDays\":%d}".formatted(NO_KEY, days);
  }

  private static List<Limit> macLimits() {
    MacAlgorithm algorithm = MacAlgorithm.MAC_ALGORITHM_HMAC_SHA_256;
    String mac = "{\"KeyId\":\"%s\",\"MacAlgorithm\":\"HMAC_SHA_256\",";
    return List.of(
        grpc(
            "GenerateMac: message",
            65_536,
            n -> admin.generateMac(key, new byte[n], algorithm),
            "OK",
            "MESSAGE_TOO_LONG"),
        aws(
            "GenerateMac",
            "Message",
            4096,
            n -> (mac + "\"Message\":\"%s\"}").formatted(key, zeros(n)),
            "OK",
            "ValidationException"),
        grpc(
            "VerifyMac: mac",
            6144,
            n -> admin.verifyMac(key, new byte[] {1}, new byte[n], algorithm),
            "KMS_INVALID_MAC",
            "INVALID_FIELD mac"),
        aws(
            "VerifyMac",
            "Mac",
            6144,
            n -> (mac + "\"Message\":\"AQ==\",\"Mac\":\"%s\"}").formatted(key, zeros(n)),
            "KMSInvalidMacException",
            "ValidationException"),
        grpc(
            "DescribeKey: grant_tokens, which are not served yet",
            0,
            n ->
                admin
                    .keys()
                    .describeKey(
                        DescribeKeyRequest.newBuilder()
                            .setKeyId(key)
                            .addAllGrantTokens(names(n))
                            .build()),
            "OK",
            "GRANT_TOKENS_NOT_SUPPORTED"),
        aws(
            "DescribeKey",
            "GrantTokens",
            10,
            n ->
                "{\"KeyId\":\"%s\",\"GrantTokens\":[\"%s\"]}"
                    .formatted(key, String.join("\",\"", names(n))),
            "InvalidGrantTokenException",
            "ValidationException"),
        aws(
            "DescribeKey",
            "grant token",
            8192,
            n -> "{\"KeyId\":\"%s\",\"GrantTokens\":[\"%s\"]}".formatted(key, letters(n)),
            "InvalidGrantTokenException",
            "ValidationException"));
  }

  private static List<Limit> tagLimits() {
    return List.of(
        grpc(
            "CreateKey: tags",
            50,
            n -> admin.keys().createKey(newKey().addAllTags(tags(n)).build()),
            "OK",
            "INVALID_TAG"),
        aws(
            "CreateKey",
            "Tags",
            50,
            n -> "{%s,\"Tags\":[%s]}".formatted(SPEC, awsTags(n)),
            "OK",
            "TagException"),
        grpc("TagResource: tags", 50, n -> tag(tagged, tags(n)), "OK", "INVALID_FIELD tags"),
        aws("TagResource", "Tags", 50, n -> awsTagged(tagged, awsTags(n)), "OK", "TagException"),
        grpc(
            "TagResource: tag_key",
            128,
            n -> tag(key, List.of(tag(letters(n), ""))),
            "OK",
            "INVALID_FIELD tag_key"),
        aws(
            "TagResource",
            "TagKey",
            128,
            n -> awsTagged(key, awsTag(letters(n), "")),
            "OK",
            "ValidationException"),
        grpc(
            "TagResource: tag_value",
            256,
            n -> tag(key, List.of(tag("value", letters(n)))),
            "OK",
            "INVALID_FIELD tag_value"),
        aws(
            "TagResource",
            "TagValue",
            256,
            n -> awsTagged(key, awsTag("value", letters(n))),
            "OK",
            "ValidationException"),
        grpc("UntagResource: tag_keys", 50, n -> untag(names(n)), "OK", "INVALID_FIELD tag_keys"),
        aws("UntagResource", "TagKeys", 50, n -> awsUntag(names(n)), "OK", "TagException"),
        grpc(
            "UntagResource: tag key",
            128,
            n -> untag(List.of(letters(n))),
            "OK",
            "INVALID_FIELD tag_keys"),
        aws(
            "UntagResource",
            "tag key",
            128,
            n -> awsUntag(List.of(letters(n))),
            "OK",
            "ValidationException"));
  }

  private static void tag(String keyId, List<Tag> tags) {
    var _ =
        admin
            .keys()
            .tagResource(TagResourceRequest.newBuilder().setKeyId(keyId).addAllTags(tags).build());
  }

  private static String awsTagged(String keyId, String tags) {
    return "{\"KeyId\":\"%s\",\"Tags\":[%s]}".formatted(keyId, tags);
  }

  private static void untag(List<String> tagKeys) {
    var _ =
        admin
            .keys()
            .untagResource(
                UntagResourceRequest.newBuilder().setKeyId(key).addAllTagKeys(tagKeys).build());
  }

  private static String awsUntag(List<String> tagKeys) {
    return "{\"KeyId\":\"%s\",\"TagKeys\":[\"%s\"]}".formatted(key, String.join("\",\"", tagKeys));
  }

  private static List<Limit> aliasLimits() {
    return List.of(
        grpc(
            "CreateAlias: alias_name",
            256,
            n -> admin.createAlias("alias/grpc/" + letters(n - 11), key),
            "OK",
            "INVALID_FIELD alias_name"),
        aws(
            "CreateAlias",
            "AliasName",
            256,
            n ->
                "{\"AliasName\":\"alias/aws-edge/%s\",\"TargetKeyId\":\"%s\"}"
                    .formatted(letters(n - 15), key),
            "OK",
            "ValidationException"),
        grpc(
            "CreateAlias: target_key_id",
            2048,
            n -> admin.createAlias("alias/target", letters(n)),
            "INVALID_KEY_ID target_key_id",
            "INVALID_FIELD target_key_id"),
        aws(
            "CreateAlias",
            "TargetKeyId",
            2048,
            n -> "{\"AliasName\":\"alias/target\",\"TargetKeyId\":\"%s\"}".formatted(letters(n)),
            "NotFoundException",
            "ValidationException"));
  }

  private static List<Limit> pageLimits() {
    return List.of(
        grpc(
            "ListKeys: page_size",
            1000,
            n -> admin.keys().listKeys(ListKeysRequest.newBuilder().setPageSize(n).build()),
            "OK",
            "INVALID_FIELD page_size"),
        aws(
            "ListKeys",
            "Limit",
            1000,
            n -> "{\"Limit\":%d}".formatted(n),
            "OK",
            "ValidationException"),
        grpc(
            "ListAliases: page_size",
            100,
            n -> admin.keys().listAliases(ListAliasesRequest.newBuilder().setPageSize(n).build()),
            "OK",
            "INVALID_FIELD page_size"),
        aws(
            "ListAliases",
            "Limit",
            1000,
            n -> "{\"Limit\":%d}".formatted(n),
            "OK",
            "ValidationException"),
        grpc(
            "ListResourceTags: page_size",
            50,
            n ->
                admin
                    .keys()
                    .listResourceTags(
                        ListResourceTagsRequest.newBuilder().setKeyId(key).setPageSize(n).build()),
            "OK",
            "INVALID_FIELD page_size"),
        aws(
            "ListResourceTags",
            "Limit",
            1000,
            n -> "{\"KeyId\":\"%s\",\"Limit\":%d}".formatted(key, n),
            "OK",
            "ValidationException"),
        grpc(
            "ListAccessKeys: page_size",
            1000,
            n ->
                admin
                    .accessKeys()
                    .listAccessKeys(ListAccessKeysRequest.newBuilder().setPageSize(n).build()),
            "OK",
            "INVALID_FIELD page_size"),
        aws(
            "ListKeyPolicies",
            "Limit",
            1000,
            n -> "{\"KeyId\":\"%s\",\"Limit\":%d}".formatted(key, n),
            "OK",
            "ValidationException"),
        grpc(
            "ListKeys: page_token",
            PageRequest.MAX_TOKEN_CHARS,
            n ->
                admin
                    .keys()
                    .listKeys(ListKeysRequest.newBuilder().setPageToken(letters(n)).build()),
            "INVALID_PAGE_TOKEN",
            "INVALID_PAGE_TOKEN"),
        aws(
            "ListKeys",
            "Marker",
            1024,
            n -> "{\"Marker\":\"%s\"}".formatted(letters(n)),
            "InvalidMarkerException",
            "ValidationException"));
  }

  private static List<Limit> otherLimits() {
    return List.of(
        aws(
            "GenerateRandom",
            "NumberOfBytes",
            1024,
            n -> "{\"NumberOfBytes\":%d}".formatted(n),
            "OK",
            "ValidationException"),
        aws(
            "GetKeyPolicy",
            "PolicyName",
            128,
            n -> "{\"KeyId\":\"%s\",\"PolicyName\":\"%s\"}".formatted(key, letters(n)),
            "NotFoundException",
            "ValidationException"),
        grpc(
            "CreateAccessKey: name in principal",
            64,
            n ->
                admin
                    .accessKeys()
                    .createAccessKey(
                        CreateAccessKeyRequest.newBuilder()
                            .setPrincipal(LoopbackDaemon.arn(letters(n)))
                            .build()),
            "OK",
            "INVALID_FIELD principal"),
        grpc(
            "DisableAccessKey: access_key_id",
            128,
            n ->
                admin
                    .accessKeys()
                    .disableAccessKey(
                        DisableAccessKeyRequest.newBuilder().setAccessKeyId(letters(n)).build()),
            "ACCESS_KEY_NOT_FOUND",
            "INVALID_FIELD access_key_id"),
        grpc(
            "DeleteAccessKey: access_key_id",
            128,
            n ->
                admin
                    .accessKeys()
                    .deleteAccessKey(
                        DeleteAccessKeyRequest.newBuilder().setAccessKeyId(letters(n)).build()),
            "ACCESS_KEY_NOT_FOUND",
            "INVALID_FIELD access_key_id"));
  }

  static Stream<Arguments> rows() {
    return limits().map(limit -> argumentSet(limit.name(), limit));
  }

  @ParameterizedTest
  @MethodSource("rows")
  void requestAtTheLimitIsAccepted(Limit limit) {
    assertThat(limit.request().apply(limit.limit())).isEqualTo(limit.atLimit());
  }

  @Test
  void requestAboveTheLimitIsRefusedBeforeTheRegistryAndTheToken() {
    Map<String, String> expected = new LinkedHashMap<>();
    Map<String, String> seen = new LinkedHashMap<>();
    int before = tokenCalls();
    try (var _ = registry.block()) {
      limits()
          .forEach(
              limit -> {
                expected.put(limit.name(), limit.above());
                seen.put(limit.name(), limit.request().apply(limit.limit() + 1));
              });
    }
    assertThat(seen).containsExactlyEntriesOf(expected);
    assertThat(tokenCalls()).isEqualTo(before);
  }

  private static int tokenCalls() {
    return Stream.of(
            FaultyToken.Call.SIGN,
            FaultyToken.Call.GENERATE,
            FaultyToken.Call.FIND,
            FaultyToken.Call.RANDOM)
        .mapToInt(token::count)
        .sum();
  }
}

package dev.hmacd.rpc;

import static dev.hmacd.testing.Reasons.failsWith;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.params.provider.Arguments.argumentSet;

import com.google.protobuf.ByteString;
import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.Message;
import com.google.protobuf.UnknownFieldSet;
import dev.hmacd.testing.Caller;
import dev.hmacd.testing.Footprint;
import dev.hmacd.testing.LoopbackDaemon;
import dev.hmacd.v1.AccessKeyServiceGrpc;
import dev.hmacd.v1.AdoptKeyRequest;
import dev.hmacd.v1.CreateAliasRequest;
import dev.hmacd.v1.CreateKeyRequest;
import dev.hmacd.v1.DeleteAliasRequest;
import dev.hmacd.v1.DescribeKeyRequest;
import dev.hmacd.v1.GenerateMacRequest;
import dev.hmacd.v1.GenerateRandomRequest;
import dev.hmacd.v1.KeyServiceGrpc;
import dev.hmacd.v1.KeySpec;
import dev.hmacd.v1.ListAliasesRequest;
import dev.hmacd.v1.ListKeysRequest;
import dev.hmacd.v1.MacAlgorithm;
import dev.hmacd.v1.MacServiceGrpc;
import dev.hmacd.v1.RandomServiceGrpc;
import dev.hmacd.v1.ScheduleKeyDeletionRequest;
import dev.hmacd.v1.UntagResourceRequest;
import dev.hmacd.v1.UpdateAliasRequest;
import dev.hmacd.v1.VerifyMacRequest;
import io.grpc.CallOptions;
import io.grpc.MethodDescriptor;
import io.grpc.Status.Code;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.ClientCalls;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import java.util.zip.CRC32C;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/// Well-formed requests that violate the contract: each gets the error of the contract, and the
/// next caller is served.
final class BadRequestTest {
  private static final ByteString RESERVED_MESSAGE =
      ByteString.copyFromUtf8("hmacd check value v1\0");
  private static final ByteString MESSAGE = ByteString.copyFromUtf8("hello");
  private static final String ARN = "arn:aws:kms:eu-central-1:123456789012:";
  private static final String UNKNOWN = "00000000-0000-0000-0000-000000000000";

  private static final LoopbackDaemon daemon = LoopbackDaemon.withAdmin();
  private static Caller admin;
  private static String key = "";
  private static ByteString mac = ByteString.EMPTY;
  private static Footprint before;

  @BeforeAll
  static void start() {
    daemon.start();
    admin = daemon.as("admin");
    key = admin.createKey(KeySpec.KEY_SPEC_HMAC_256);
    admin.createAlias("alias/there", key);
    mac = ByteString.copyFrom(admin.generateMac(key, "hello"));
    before = Footprint.of(daemon);
  }

  @AfterEach
  void nextCallerIsServed() {
    assertThat(admin.generateMac("alias/there", "hello")).isEqualTo(mac.toByteArray());
  }

  @AfterAll
  static void memoryIsReleased() {
    before.awaitRestored(daemon);
    daemon.close();
  }

  /// A row: the change to a valid request, and the expected error.
  private static Arguments generate(
      String name, Code code, String reason, UnaryOperator<GenerateMacRequest.Builder> change) {
    return argumentSet(
        "GenerateMac: " + name,
        code,
        reason,
        (Runnable)
            () ->
                admin
                    .macs()
                    .generateMac(
                        change
                            .apply(
                                GenerateMacRequest.newBuilder()
                                    .setKeyId(key)
                                    .setMessage(MESSAGE)
                                    .setMacAlgorithm(MacAlgorithm.MAC_ALGORITHM_HMAC_SHA_256))
                            .build()));
  }

  private static Arguments verify(
      String name, Code code, String reason, UnaryOperator<VerifyMacRequest.Builder> change) {
    return argumentSet(
        "VerifyMac: " + name,
        code,
        reason,
        (Runnable)
            () ->
                admin
                    .macs()
                    .verifyMac(
                        change
                            .apply(
                                VerifyMacRequest.newBuilder()
                                    .setKeyId(key)
                                    .setMessage(MESSAGE)
                                    .setMac(mac)
                                    .setMacAlgorithm(MacAlgorithm.MAC_ALGORITHM_HMAC_SHA_256))
                            .build()));
  }

  private static Arguments keys(
      String name, Code code, String reason, Consumer<KeyServiceGrpc.KeyServiceBlockingStub> call) {
    return argumentSet(name, code, reason, (Runnable) () -> call.accept(admin.keys()));
  }

  private static int crc32c(ByteString bytes) {
    var crc = new CRC32C();
    crc.update(bytes.toByteArray());
    return (int) crc.getValue();
  }

  static Stream<Arguments> messages() {
    Code invalid = Code.INVALID_ARGUMENT;
    return Stream.of(
        generate("no message", invalid, "INVALID_FIELD message", b -> b.clearMessage()),
        generate(
            "message of 65537 bytes",
            invalid,
            "MESSAGE_TOO_LONG",
            b -> b.setMessage(ByteString.copyFrom(new byte[65_537]))),
        generate(
            "algorithm of another spec",
            invalid,
            "INVALID_KEY_USAGE",
            b -> b.setMacAlgorithm(MacAlgorithm.MAC_ALGORITHM_HMAC_SHA_512)),
        generate(
            "no algorithm", invalid, "INVALID_FIELD mac_algorithm", b -> b.clearMacAlgorithm()),
        generate(
            "algorithm of a later contract",
            invalid,
            "INVALID_FIELD mac_algorithm",
            b -> b.setMacAlgorithmValue(99)),
        generate(
            "negative algorithm",
            invalid,
            "INVALID_FIELD mac_algorithm",
            b -> b.setMacAlgorithmValue(-1)),
        generate(
            "message of a check value",
            invalid,
            "RESERVED_MESSAGE",
            b -> b.setMessage(RESERVED_MESSAGE)),
        generate(
            "message of a check value in a dry run",
            invalid,
            "RESERVED_MESSAGE",
            b -> b.setMessage(RESERVED_MESSAGE).setDryRun(true)),
        generate(
            "CRC32C of another message",
            invalid,
            "CHECKSUM_MISMATCH message",
            b -> b.setMessageCrc32C(crc32c(MESSAGE) ^ 1)),
        generate(
            "CRC32C of 0, set", invalid, "CHECKSUM_MISMATCH message", b -> b.setMessageCrc32C(0)),
        generate(
            "grant token",
            Code.UNIMPLEMENTED,
            "GRANT_TOKENS_NOT_SUPPORTED",
            b -> b.addGrantTokens("t")),
        generate(
            "empty grant token",
            Code.UNIMPLEMENTED,
            "GRANT_TOKENS_NOT_SUPPORTED",
            b -> b.addGrantTokens("")),
        generate(
            "key version",
            Code.UNIMPLEMENTED,
            "KEY_VERSION_NOT_SUPPORTED",
            b -> b.setKeyVersion(1)),
        generate(
            "key version 0, set",
            Code.UNIMPLEMENTED,
            "KEY_VERSION_NOT_SUPPORTED",
            b -> b.setKeyVersion(0)),
        generate("dry run", Code.FAILED_PRECONDITION, "DRY_RUN_OPERATION", b -> b.setDryRun(true)),
        generate(
            "dry run with an unknown key",
            Code.NOT_FOUND,
            "KEY_NOT_FOUND",
            b -> b.setDryRun(true).setKeyId(UNKNOWN)),
        generate("unknown field", invalid, "UNKNOWN_FIELD", b -> b.setUnknownFields(unknown())),
        verify("no message", invalid, "INVALID_FIELD message", b -> b.clearMessage()),
        verify("no MAC", invalid, "INVALID_FIELD mac", b -> b.clearMac()),
        verify(
            "MAC of 6145 bytes",
            invalid,
            "INVALID_FIELD mac",
            b -> b.setMac(ByteString.copyFrom(new byte[6145]))),
        verify(
            "MAC of 6144 bytes",
            invalid,
            "KMS_INVALID_MAC",
            b -> b.setMac(ByteString.copyFrom(new byte[6144]))),
        verify("MAC cut short", invalid, "KMS_INVALID_MAC", b -> b.setMac(mac.substring(0, 31))),
        verify("MAC of one byte", invalid, "KMS_INVALID_MAC", b -> b.setMac(mac.substring(0, 1))),
        verify(
            "MAC with a trailing byte",
            invalid,
            "KMS_INVALID_MAC",
            b -> b.setMac(mac.concat(ByteString.copyFrom(new byte[1])))),
        verify("MAC twice", invalid, "KMS_INVALID_MAC", b -> b.setMac(mac.concat(mac))),
        verify(
            "MAC of another message",
            invalid,
            "KMS_INVALID_MAC",
            b -> b.setMessage(ByteString.copyFromUtf8("hellp"))),
        verify(
            "wrong MAC in a dry run",
            invalid,
            "KMS_INVALID_MAC",
            b -> b.setDryRun(true).setMac(ByteString.copyFrom(new byte[32]))),
        verify(
            "message of a check value",
            invalid,
            "RESERVED_MESSAGE",
            b -> b.setMessage(RESERVED_MESSAGE)),
        verify(
            "message of a check value in a dry run",
            invalid,
            "RESERVED_MESSAGE",
            b -> b.setMessage(RESERVED_MESSAGE).setDryRun(true)),
        verify("dry run", Code.FAILED_PRECONDITION, "DRY_RUN_OPERATION", b -> b.setDryRun(true)),
        verify(
            "CRC32C of another message",
            invalid,
            "CHECKSUM_MISMATCH message",
            b -> b.setMessageCrc32C(1)),
        verify("CRC32C of another MAC", invalid, "CHECKSUM_MISMATCH mac", b -> b.setMacCrc32C(1)),
        verify(
            "algorithm of another spec",
            invalid,
            "INVALID_KEY_USAGE",
            b -> b.setMacAlgorithm(MacAlgorithm.MAC_ALGORITHM_HMAC_SHA_224)),
        verify("no algorithm", invalid, "INVALID_FIELD mac_algorithm", b -> b.clearMacAlgorithm()),
        verify(
            "grant token",
            Code.UNIMPLEMENTED,
            "GRANT_TOKENS_NOT_SUPPORTED",
            b -> b.addGrantTokens("t")),
        verify(
            "key version",
            Code.UNIMPLEMENTED,
            "KEY_VERSION_NOT_SUPPORTED",
            b -> b.setKeyVersion(1)),
        verify("unknown field", invalid, "UNKNOWN_FIELD", b -> b.setUnknownFields(unknown())));
  }

  private static UnknownFieldSet unknown() {
    return UnknownFieldSet.newBuilder()
        .addField(1000, UnknownFieldSet.Field.newBuilder().addVarint(1).build())
        .build();
  }

  static Stream<Arguments> keyNames() {
    String id = "01234567-89ab-cdef-0123-456789abcdef";
    List<Arguments> rows = new ArrayList<>();
    String[][] table = {
      {"empty", "", "INVALID_FIELD key_id"},
      {"2049 characters", "alias/" + "x".repeat(2043), "INVALID_FIELD key_id"},
      {"2048 characters", "alias/" + "x".repeat(2042), "INVALID_KEY_ID key_id"},
      {"16 KiB", "x".repeat(16384), "INVALID_FIELD key_id"},
      {"unknown id", UNKNOWN, "KEY_NOT_FOUND"},
      {"unknown alias", "alias/none", "KEY_NOT_FOUND"},
      {"unknown key ARN", ARN + "key/" + UNKNOWN, "KEY_NOT_FOUND"},
      {"unknown alias ARN", ARN + "alias/none", "KEY_NOT_FOUND"},
      {"reserved alias", "alias/aws/kms", "KEY_NOT_FOUND"},
      {"id in upper case", id.toUpperCase(java.util.Locale.ROOT), "INVALID_KEY_ID key_id"},
      {"id without dashes", id.replace("-", ""), "INVALID_KEY_ID key_id"},
      {"id in braces", "{" + id + "}", "INVALID_KEY_ID key_id"},
      {"id with a leading space", " " + id, "INVALID_KEY_ID key_id"},
      {"id with a trailing line break", id + "\n", "INVALID_KEY_ID key_id"},
      {"id with a trailing NUL", id + "\0", "INVALID_KEY_ID key_id"},
      {"id with the prefix key/", "key/" + id, "INVALID_KEY_ID key_id"},
      {"multi-region id", "mrk-" + id.replace("-", ""), "INVALID_KEY_ID key_id"},
      {"other region", "arn:aws:kms:us-east-1:123456789012:key/" + id, "INVALID_KEY_ID key_id"},
      {"other account", "arn:aws:kms:eu-central-1:123456789013:key/" + id, "INVALID_KEY_ID key_id"},
      {
        "other partition",
        "arn:aws-cn:kms:eu-central-1:123456789012:key/" + id,
        "INVALID_KEY_ID key_id"
      },
      {"other service", "arn:aws:s3:eu-central-1:123456789012:key/" + id, "INVALID_KEY_ID key_id"},
      {
        "ARN in upper case",
        "ARN:AWS:KMS:EU-CENTRAL-1:123456789012:KEY/" + id,
        "INVALID_KEY_ID key_id"
      },
      {"ARN without resource", ARN, "INVALID_KEY_ID key_id"},
      {"ARN with an id only", ARN + id, "INVALID_KEY_ID key_id"},
      {"ARN of an ARN", ARN + ARN + "key/" + id, "INVALID_KEY_ID key_id"},
      {"arn: only", "arn:", "INVALID_KEY_ID key_id"},
      {"alias/ only", "alias/", "INVALID_KEY_ID key_id"},
      {"alias ARN without name", ARN + "alias/", "INVALID_KEY_ID key_id"},
      {"alias without alias/", "there", "INVALID_KEY_ID key_id"},
      {"alias in upper case", "ALIAS/there", "INVALID_KEY_ID key_id"},
      {"alias of 251 characters", "alias/" + "x".repeat(251), "INVALID_KEY_ID key_id"},
      {"alias with a colon", "alias/a:b", "INVALID_KEY_ID key_id"},
      {"alias with a space", "alias/a b", "INVALID_KEY_ID key_id"},
      {"alias with an asterisk", "alias/*", "INVALID_KEY_ID key_id"},
      {"alias with a NUL", "alias/there\0", "INVALID_KEY_ID key_id"},
      {"alias with a line break", "alias/there\n", "INVALID_KEY_ID key_id"},
      {"alias with an escape", "alias/\u001b[2J", "INVALID_KEY_ID key_id"},
      {"alias with non-ASCII letters", "alias/schlüssel", "INVALID_KEY_ID key_id"},
      {"alias in full-width letters", "alias/ｔｈｅｒｅ", "INVALID_KEY_ID key_id"},
      {"path", "../../etc/passwd", "INVALID_KEY_ID key_id"},
      {"SQL", "alias/' OR 1=1 --", "INVALID_KEY_ID key_id"},
      {"format string", "%s%n${jndi:ldap://a}", "INVALID_KEY_ID key_id"},
    };
    for (String[] row : table) {
      Code code = row[2].startsWith("KEY_NOT_FOUND") ? Code.NOT_FOUND : Code.INVALID_ARGUMENT;
      rows.add(generate("key_id: " + row[0], code, row[2], b -> b.setKeyId(row[1])));
      rows.add(verify("key_id: " + row[0], code, row[2], b -> b.setKeyId(row[1])));
      rows.add(
          keys(
              "DescribeKey: key_id: " + row[0],
              code,
              row[2],
              stub -> stub.describeKey(DescribeKeyRequest.newBuilder().setKeyId(row[1]).build())));
    }
    return rows.stream();
  }

  static Stream<Arguments> keyRequests() {
    Code invalid = Code.INVALID_ARGUMENT;
    return Stream.of(
        keys(
            "CreateKey: no spec",
            invalid,
            "INVALID_FIELD key_spec",
            stub -> stub.createKey(CreateKeyRequest.getDefaultInstance())),
        keys(
            "CreateKey: spec of a later contract",
            invalid,
            "INVALID_FIELD key_spec",
            stub -> stub.createKey(CreateKeyRequest.newBuilder().setKeySpecValue(5).build())),
        keys(
            "CreateKey: unknown field",
            invalid,
            "UNKNOWN_FIELD",
            stub ->
                stub.createKey(
                    CreateKeyRequest.newBuilder()
                        .setKeySpec(KeySpec.KEY_SPEC_HMAC_256)
                        .setUnknownFields(unknown())
                        .build())),
        keys(
            "CreateKey: description of 8193 characters",
            invalid,
            "INVALID_FIELD description",
            stub ->
                stub.createKey(
                    CreateKeyRequest.newBuilder()
                        .setKeySpec(KeySpec.KEY_SPEC_HMAC_256)
                        .setDescription("x".repeat(8193))
                        .build())),
        adopt("no object", "INVALID_FIELD object_label", b -> b),
        adopt("empty label", "INVALID_FIELD object_label", b -> b.setObjectLabel("")),
        adopt(
            "label of 257 bytes in 129 characters",
            "INVALID_FIELD object_label",
            b -> b.setObjectLabel("ü".repeat(128) + "x")),
        adopt("empty id", "INVALID_FIELD object_id", b -> b.setObjectId(ByteString.EMPTY)),
        adopt(
            "id of 257 bytes",
            "INVALID_FIELD object_id",
            b -> b.setObjectId(ByteString.copyFrom(new byte[257]))),
        adopt("no spec", "INVALID_FIELD key_spec", b -> b.clearKeySpec().setObjectLabel("orders")),
        keys(
            "DescribeKey: grant token",
            Code.UNIMPLEMENTED,
            "GRANT_TOKENS_NOT_SUPPORTED",
            stub ->
                stub.describeKey(
                    DescribeKeyRequest.newBuilder().setKeyId(key).addGrantTokens("t").build())),
        listKeys("negative page size", "INVALID_FIELD page_size", b -> b.setPageSize(-1)),
        listKeys("page size of 1001", "INVALID_FIELD page_size", b -> b.setPageSize(1001)),
        listKeys("malformed page token", "INVALID_PAGE_TOKEN", b -> b.setPageToken("%")),
        listKeys("page token without the mark", "INVALID_PAGE_TOKEN", b -> b.setPageToken("YWJj")),
        listKeys("page token with padding", "INVALID_PAGE_TOKEN", b -> b.setPageToken("MTo=")),
        listKeys("long page token", "INVALID_PAGE_TOKEN", b -> b.setPageToken("A".repeat(100_000))),
        keys(
            "ListAliases: page size of 101",
            invalid,
            "INVALID_FIELD page_size",
            stub -> stub.listAliases(ListAliasesRequest.newBuilder().setPageSize(101).build())),
        keys(
            "ListAliases: alias in place of a key id",
            invalid,
            "INVALID_KEY_ID key_id",
            stub ->
                stub.listAliases(ListAliasesRequest.newBuilder().setKeyId("alias/there").build())),
        keys(
            "ListAliases: unknown key",
            Code.NOT_FOUND,
            "KEY_NOT_FOUND",
            stub -> stub.listAliases(ListAliasesRequest.newBuilder().setKeyId(UNKNOWN).build())),
        alias("no name", invalid, "INVALID_FIELD alias_name", ""),
        alias("name without alias/", invalid, "INVALID_FIELD alias_name", "orders"),
        alias("alias/ only", invalid, "INVALID_FIELD alias_name", "alias/"),
        alias("reserved name", invalid, "INVALID_FIELD alias_name", "alias/aws/orders"),
        alias(
            "name of 257 characters",
            invalid,
            "INVALID_FIELD alias_name",
            "alias/" + "x".repeat(251)),
        alias("name with an asterisk", invalid, "INVALID_FIELD alias_name", "alias/*"),
        alias("name with a line break", invalid, "INVALID_FIELD alias_name", "alias/a\n"),
        alias("existing alias", Code.ALREADY_EXISTS, "ALIAS_ALREADY_EXISTS", "alias/there"),
        target("malformed", invalid, "INVALID_KEY_ID target_key_id", "x"),
        target("empty", invalid, "INVALID_FIELD target_key_id", ""),
        target("an alias", invalid, "INVALID_KEY_ID target_key_id", "alias/there"),
        target("an alias ARN", invalid, "INVALID_KEY_ID target_key_id", ARN + "alias/there"),
        target("unknown", Code.NOT_FOUND, "KEY_NOT_FOUND", UNKNOWN),
        keys(
            "UpdateAlias: unknown alias",
            Code.NOT_FOUND,
            "ALIAS_NOT_FOUND",
            stub ->
                stub.updateAlias(
                    UpdateAliasRequest.newBuilder()
                        .setAliasName("alias/none")
                        .setTargetKeyId(key)
                        .build())),
        keys(
            "DeleteAlias: unknown alias",
            Code.NOT_FOUND,
            "ALIAS_NOT_FOUND",
            stub ->
                stub.deleteAlias(
                    DeleteAliasRequest.newBuilder().setAliasName("alias/none").build())),
        keys(
            "DeleteAlias: reserved name",
            invalid,
            "INVALID_FIELD alias_name",
            stub ->
                stub.deleteAlias(
                    DeleteAliasRequest.newBuilder().setAliasName("alias/aws/x").build())));
  }

  private static Arguments adopt(
      String name, String reason, UnaryOperator<AdoptKeyRequest.Builder> change) {
    return keys(
        "AdoptKey: " + name,
        Code.INVALID_ARGUMENT,
        reason,
        stub ->
            stub.adoptKey(
                change
                    .apply(AdoptKeyRequest.newBuilder().setKeySpec(KeySpec.KEY_SPEC_HMAC_256))
                    .build()));
  }

  private static Arguments listKeys(
      String name, String reason, UnaryOperator<ListKeysRequest.Builder> change) {
    return keys(
        "ListKeys: " + name,
        Code.INVALID_ARGUMENT,
        reason,
        stub -> stub.listKeys(change.apply(ListKeysRequest.newBuilder()).build()));
  }

  private static Arguments alias(String name, Code code, String reason, String alias) {
    return keys(
        "CreateAlias: " + name,
        code,
        reason,
        stub ->
            stub.createAlias(
                CreateAliasRequest.newBuilder().setAliasName(alias).setTargetKeyId(key).build()));
  }

  private static Arguments target(String name, Code code, String reason, String target) {
    return keys(
        "CreateAlias: target " + name,
        code,
        reason,
        stub ->
            stub.createAlias(
                CreateAliasRequest.newBuilder()
                    .setAliasName("alias/new")
                    .setTargetKeyId(target)
                    .build()));
  }

  /// @param reason the reason, or the reason, a space and the field in the error's metadata
  @ParameterizedTest
  @MethodSource({"messages", "keyNames", "keyRequests"})
  void invalidRequestGetsTheErrorOfTheContract(Code code, String reason, Runnable call) {
    int blank = reason.indexOf(' ');
    assertThatThrownBy(call::run)
        .satisfies(
            blank < 0
                ? failsWith(code, reason)
                : failsWith(
                    code, reason.substring(0, blank), "field", reason.substring(blank + 1)));
  }

  private static Arguments limit(String text, Runnable call) {
    return argumentSet(text, text, call);
  }

  static Stream<Arguments> limits() {
    return Stream.of(
        limit(
            "mac: length must be 1 to 6144 bytes; the request has 6145 bytes",
            () ->
                admin.verifyMac(
                    key, new byte[1], new byte[6145], MacAlgorithm.MAC_ALGORITHM_HMAC_SHA_256)),
        limit(
            "key_id: length must be 1 to 2048 characters; the request has 2049 characters",
            () -> admin.describe("k".repeat(2049))),
        limit(
            "page_size: must be 0 to 1000; the request has 1001",
            () -> admin.keys().listKeys(ListKeysRequest.newBuilder().setPageSize(1001).build())),
        limit(
            "pending_window_in_days: must be 7 to 30; the request has 6",
            () ->
                admin
                    .keys()
                    .scheduleKeyDeletion(
                        ScheduleKeyDeletionRequest.newBuilder()
                            .setKeyId(key)
                            .setPendingWindowInDays(6)
                            .build())),
        limit(
            "tag_keys: must have 1 to 50 elements; the request has 0 elements",
            () ->
                admin
                    .keys()
                    .untagResource(UntagResourceRequest.newBuilder().setKeyId(key).build())),
        limit(
            "number_of_bytes: must be 1 to 1024; the request has 1025",
            () ->
                admin
                    .random()
                    .generateRandom(
                        GenerateRandomRequest.newBuilder().setNumberOfBytes(1025).build())));
  }

  @ParameterizedTest
  @MethodSource("limits")
  void errorOfALimitHasTheLimitAndTheGivenValue(String text, Runnable call) {
    assertThatThrownBy(call::run)
        .satisfies(failsWith(Code.INVALID_ARGUMENT, "INVALID_FIELD"))
        .isInstanceOfSatisfying(
            StatusRuntimeException.class,
            e -> assertThat(e.getStatus().getDescription()).isEqualTo(text));
  }

  /// Each field of message type in the requests of all methods.
  static Stream<Arguments> messagesInRequests() {
    return Stream.of(
            MacServiceGrpc.getServiceDescriptor(),
            KeyServiceGrpc.getServiceDescriptor(),
            AccessKeyServiceGrpc.getServiceDescriptor(),
            RandomServiceGrpc.getServiceDescriptor())
        .flatMap(service -> service.getMethods().stream())
        .flatMap(
            method ->
                prototype(method).getDescriptorForType().getFields().stream()
                    .filter(field -> field.getJavaType() == FieldDescriptor.JavaType.MESSAGE)
                    .map(
                        field ->
                            argumentSet(
                                method.getBareMethodName() + ": " + field.getName(),
                                method,
                                field)));
  }

  private static Message prototype(MethodDescriptor<?, ?> method) {
    var marshaller = (MethodDescriptor.PrototypeMarshaller<?>) method.getRequestMarshaller();
    return (Message) Objects.requireNonNull(marshaller.getMessagePrototype());
  }

  @ParameterizedTest
  @MethodSource("messagesInRequests")
  void unknownFieldInANestedMessageIsRefused(
      MethodDescriptor<Message, Message> method, FieldDescriptor field) {
    Message.Builder request = prototype(method).newBuilderForType();
    Message hiding = request.newBuilderForField(field).setUnknownFields(unknown()).build();
    assertThat(hiding.getDescriptorForType().getFields())
        .noneMatch(each -> each.getJavaType() == FieldDescriptor.JavaType.MESSAGE);
    if (field.isRepeated()) {
      request.addRepeatedField(field, hiding.getDefaultInstanceForType());
      request.addRepeatedField(field, hiding);
    } else {
      request.setField(field, hiding);
    }
    assertThatThrownBy(
            () ->
                ClientCalls.blockingUnaryCall(
                    admin.channel(), method, CallOptions.DEFAULT, request.build()))
        .satisfies(failsWith(Code.INVALID_ARGUMENT, "UNKNOWN_FIELD"));
  }
}

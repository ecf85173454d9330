package dev.hmacd.client;

import static java.nio.charset.StandardCharsets.UTF_8;
import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import com.google.protobuf.ByteString;
import com.google.protobuf.Timestamp;
import com.google.protobuf.UnknownFieldSet;
import dev.hmacd.v1.GenerateMacResponse;
import dev.hmacd.v1.VerifyMacResponse;
import io.grpc.Status.Code;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.concurrent.CompletionException;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

@Timeout(30)
class HmacdClientTest {
  // RFC 4231, section 4.3, under the daemon's key "Jefe".
  private static final byte[] MESSAGE = "what do ya want for nothing?".getBytes(UTF_8);
  private static final byte[] MAC =
      HexFormat.of().parseHex("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  private static final MacAlgorithm ALGORITHM = MacAlgorithm.HMAC_SHA_256;
  private static final String KEY = FakeDaemon.KEY_ID;
  private static final TestPki CLIENT = TestPki.client();

  private final FakeDaemon daemon = FakeDaemon.overTls(TestPki.daemon("localhost"));
  private final HmacdClient hmacd = client(daemon.target());

  @AfterEach
  void close() {
    hmacd.close();
    daemon.close();
  }

  @Test
  void generatedMacMatchesTheMessageAndHasItsKeyAndAlgorithm() {
    Mac mac = hmacd.generateMac(KEY, MESSAGE, ALGORITHM);
    assertThat(mac.toByteArray()).isEqualTo(MAC);
    assertThat(mac.keyArn()).isEqualTo(FakeDaemon.KEY_ARN);
    assertThat(mac.macAlgorithm()).isEqualTo(ALGORITHM);
    assertThat(mac.keyVersion()).isEqualTo(1);
    assertThat(mac).isEqualTo(hmacd.generateMac(KEY, MESSAGE, ALGORITHM));
    assertThat(mac.toString()).doesNotContain("5bdcc1");
  }

  @Test
  void rightMacIsVerified() {
    assertThat(hmacd.verifyMac(KEY, MESSAGE, ALGORITHM, MAC))
        .isEqualTo(new Verification(FakeDaemon.KEY_ARN, ALGORITHM, 1));
  }

  @Test
  void wrongMacThrows() {
    HmacdException failure = failure(() -> hmacd.verifyMac(KEY, MESSAGE, ALGORITHM, wrongMac()));
    assertThat(failure).isInstanceOf(InvalidMacException.class);
    assertThat(failure.reason()).isEqualTo(ErrorReason.KMS_INVALID_MAC);
    assertThat(failure.retryable()).isFalse();
  }

  @Test
  void macOfAnotherLengthIsWrongWithoutACall() {
    for (int length : new int[] {0, 28, 31, 33, 64}) {
      HmacdException failure =
          failure(() -> hmacd.verifyMac(KEY, MESSAGE, ALGORITHM, new byte[length]));
      assertThat(failure).isInstanceOf(InvalidMacException.class);
      assertThat(failure)
          .hasMessage(
              "KMS_INVALID_MAC: the MAC has "
                  + length
                  + " bytes, HMAC_SHA_256 has 32 (no target, 0 attempts)");
    }
    assertThatExceptionOfType(CompletionException.class)
        .isThrownBy(() -> hmacd.verifyMacAsync(KEY, MESSAGE, ALGORITHM, new byte[1]).join())
        .withCauseInstanceOf(InvalidMacException.class);
    assertThat(daemon.calls()).isEmpty();
  }

  /// No daemon answers so: it is damage in transit, no verdict.
  @Test
  void answerThatSaysTheMacIsNotValidGivesNoVerdict() {
    daemon.changingVerifications(answer -> answer.toBuilder().setMacValid(false).build());
    assertThat(failure(() -> hmacd.verifyMac(KEY, MESSAGE, ALGORITHM, MAC)).reason())
        .isEqualTo(ErrorReason.CHECKSUM_MISMATCH);
    assertThat(daemon.calls()).hasSize(2);
  }

  @Test
  void messageOfAnUnsupportedLengthIsRefusedBeforeTheCall() {
    HmacdException empty = failure(() -> hmacd.generateMac(KEY, new byte[0], ALGORITHM));
    assertThat(empty.reason()).isEqualTo(ErrorReason.INVALID_ARGUMENT);
    assertThat(empty).hasMessage("INVALID_ARGUMENT: the message is empty (no target, 0 attempts)");
    byte[] tooLong = new byte[65_537];
    var failure =
        catchThrowableOfType(
            MessageTooLongException.class, () -> hmacd.verifyMac(KEY, tooLong, ALGORITHM, MAC));
    assertThat(failure.limit()).isEqualTo(65_536);
    assertThat(failure.size()).isEqualTo(65_537);
    assertThat(failure.mayHaveRun()).isFalse();
    assertThatExceptionOfType(CompletionException.class)
        .isThrownBy(() -> hmacd.generateMacAsync(KEY, tooLong, ALGORITHM).join())
        .withCauseInstanceOf(MessageTooLongException.class);
    assertThat(daemon.calls()).isEmpty();
    try (var longer =
        HmacdClient.builder()
            .target(daemon.target())
            .tls(CLIENT.ca(), CLIENT.cert(), CLIENT.key())
            .maxMessageBytes(65_537)
            .build()) {
      assertThat(longer.generateMac(KEY, tooLong, ALGORITHM).keyVersion()).isEqualTo(1);
    }
  }

  @Test
  void messageThatTheDaemonFindsTooLongHasBothLengths() {
    daemon.failing(
        1, Code.INVALID_ARGUMENT, "MESSAGE_TOO_LONG", "maximum", "4096", "given", "4097");
    var failure =
        catchThrowableOfType(
            MessageTooLongException.class, () -> hmacd.generateMac(KEY, MESSAGE, ALGORITHM));
    assertThat(failure.reason()).isEqualTo(ErrorReason.MESSAGE_TOO_LONG);
    assertThat(failure.limit()).isEqualTo(4096);
    assertThat(failure.size()).isEqualTo(4097);
    assertThat(failure.retryable()).isFalse();
    assertThat(failure.attempts()).isEqualTo(1);
  }

  @Test
  void requestThatTheDaemonFindsTooLongHasBothLengths() {
    daemon.failing(1, Code.RESOURCE_EXHAUSTED, "REQUEST_TOO_LONG", "maximum", "16");
    var failure =
        catchThrowableOfType(
            MessageTooLongException.class, () -> hmacd.generateMac(KEY, MESSAGE, ALGORITHM));
    assertThat(failure.reason()).isEqualTo(ErrorReason.REQUEST_TOO_LONG);
    assertThat(failure.limit()).isEqualTo(16);
    assertThat(failure.size()).isGreaterThan(KEY.length() + MESSAGE.length);
  }

  @Test
  void asyncCallsHaveTheSameResultsAsBlockingCalls() {
    assertThat(hmacd.generateMacAsync(KEY, MESSAGE, ALGORITHM).join().toByteArray()).isEqualTo(MAC);
    assertThat(hmacd.verifyMacAsync(KEY, MESSAGE, ALGORITHM, MAC).join().keyVersion()).isEqualTo(1);
    assertThatExceptionOfType(CompletionException.class)
        .isThrownBy(() -> hmacd.verifyMacAsync(KEY, MESSAGE, ALGORITHM, wrongMac()).join())
        .satisfies(e -> assertThat(reasonOf(e.getCause())).isEqualTo(ErrorReason.KMS_INVALID_MAC));
  }

  @Test
  void cancelledFutureCancelsTheCall() throws InterruptedException {
    daemon.hanging();
    var mac =
        hmacd.withDeadlineAfter(Duration.ofMinutes(5)).generateMacAsync(KEY, MESSAGE, ALGORITHM);
    while (daemon.calls().isEmpty()) {
      Thread.onSpinWait();
    }
    mac.cancel(false);
    assertThat(daemon.awaitCancelled()).isTrue();
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("repeatable")
  void repeatableCallIsRetriedWhileTheDaemonIsUnavailable(
      String method, Consumer<HmacdClient> call) {
    daemon.failing(2, Code.UNAVAILABLE, "STOPPING");
    daemon.failing(1, Code.RESOURCE_EXHAUSTED, "TOKEN_BUSY");
    call.accept(hmacd.withDeadlineAfter(Duration.ofMinutes(1)));
    assertThat(daemon.calls()).containsExactly(method, method, method, method);
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("unrepeatable")
  void changeIsNeverRetried(String method, Consumer<HmacdClient> call) {
    daemon.failing(1, Code.UNAVAILABLE, "REGISTRY_UNAVAILABLE");
    assertThat(failure(() -> call.accept(hmacd)).reason())
        .isEqualTo(ErrorReason.REGISTRY_UNAVAILABLE);
    assertThat(daemon.calls()).containsExactly(method);
    call.accept(hmacd);
  }

  static Stream<Arguments> repeatable() {
    return Stream.of(
        call("GenerateMac", hmacd -> hmacd.generateMac(KEY, MESSAGE, ALGORITHM)),
        call("VerifyMac", hmacd -> hmacd.verifyMac(KEY, MESSAGE, ALGORITHM, MAC)),
        call("DescribeKey", hmacd -> hmacd.describeKey(KEY)),
        call("GenerateRandom", hmacd -> hmacd.generateRandom(16)),
        call("ListKeys", hmacd -> hmacd.listKeys(1000, "")),
        call("ListAliases", hmacd -> hmacd.listAliases("", 100, "")),
        call("ListResourceTags", hmacd -> hmacd.listResourceTags(KEY, 50, "")),
        call("ListAccessKeys", hmacd -> hmacd.listAccessKeys(1000, "")));
  }

  static Stream<Arguments> unrepeatable() {
    return Stream.of(
        call("CreateKey", hmacd -> hmacd.createKey(KeySpec.HMAC_256, "")),
        call("AdoptKey", hmacd -> hmacd.adoptKeyByLabel("label", KeySpec.HMAC_256, "")),
        call("CreateAlias", hmacd -> hmacd.createAlias("alias/new", KEY)),
        call("UpdateAlias", hmacd -> hmacd.updateAlias("alias/orders", KEY)),
        call("DeleteAlias", hmacd -> hmacd.deleteAlias("alias/orders")),
        call("EnableKey", hmacd -> hmacd.enableKey(KEY)),
        call("DisableKey", hmacd -> hmacd.disableKey(KEY)),
        call("ScheduleKeyDeletion", hmacd -> hmacd.scheduleKeyDeletion(KEY, 7)),
        call("CancelKeyDeletion", hmacd -> hmacd.cancelKeyDeletion(KEY)),
        call("UpdateKeyDescription", hmacd -> hmacd.updateKeyDescription(KEY, "")),
        call("TagResource", hmacd -> hmacd.tagResource(KEY, List.of(new Tag("a", "b")))),
        call("UntagResource", hmacd -> hmacd.untagResource(KEY, List.of("a"))),
        call("CreateAccessKey", hmacd -> hmacd.createAccessKey("arn:aws:iam::0:user/ci")),
        call("DisableAccessKey", hmacd -> hmacd.disableAccessKey("HMAKAAAAAAAAAAAAAAAA")),
        call("DeleteAccessKey", hmacd -> hmacd.deleteAccessKey("HMAKAAAAAAAAAAAAAAAA")));
  }

  @Test
  void refusalIsNotRetried() {
    daemon.failing(1, Code.PERMISSION_DENIED, "ACCESS_DENIED", "action", "GenerateMac");
    HmacdException failure = failure(() -> hmacd.generateMac(KEY, MESSAGE, ALGORITHM));
    assertThat(failure.reason()).isEqualTo(ErrorReason.ACCESS_DENIED);
    assertThat(failure.metadata()).isEqualTo(Map.of("action", "GenerateMac"));
    assertThat(failure)
        .hasMessage(
            "ACCESS_DENIED: a fake's ACCESS_DENIED (target " + daemon.target() + ", 1 attempts)");
    assertThat(failure.target()).isEqualTo(daemon.target());
    assertThat(failure.attempts()).isEqualTo(1);
    assertThat(failure.mayHaveRun()).isFalse();
    assertThat(daemon.calls()).hasSize(1);
  }

  @ParameterizedTest
  @CsvSource({
    "ALIAS_NOT_FOUND, false",
    "LIMIT_EXCEEDED, false",
    "TOKEN_OBJECT_TAKEN, false",
    "DRY_RUN_OPERATION, true",
    "INTERNAL, true",
    "MOON_IN_WRONG_PHASE, true"
  })
  void onlyAReasonBeforeTheExecutionExcludesIt(String reason, boolean mayHaveRun) {
    daemon.failing(1, Code.FAILED_PRECONDITION, reason);
    HmacdException failure = failure(() -> hmacd.generateMac(KEY, MESSAGE, ALGORITHM));
    assertThat(failure.mayHaveRun()).isEqualTo(mayHaveRun);
  }

  @Test
  void reasonOfAPeerIsInOneLine() {
    daemon.failing(1, Code.UNAVAILABLE, "TOKEN_BUSY\nforged\u001b[31m");
    assertThat(failure(() -> hmacd.generateMac(KEY, MESSAGE, ALGORITHM)).getMessage())
        .startsWith("TOKEN_BUSY forged [31m: ")
        .doesNotContainPattern("\\p{Cc}");
  }

  @Test
  void metadataOfAPeerHasNoControlCharacters() {
    daemon.failing(1, Code.PERMISSION_DENIED, "ACCESS_DENIED", "action\t", "a\u001b[31m\r\nb");
    assertThat(failure(() -> hmacd.generateMac(KEY, MESSAGE, ALGORITHM)).metadata())
        .isEqualTo(Map.of("action ", "a [31m b"));
  }

  @Test
  void answerThatCannotBeDecodedIsDamaged() {
    daemon.changingKeys(
        key ->
            key.toBuilder()
                .setCreationTime(Timestamp.newBuilder().setSeconds(Long.MAX_VALUE))
                .build());
    assertUndecodable(() -> hmacd.describeKey(KEY));
    // The name of the key is not UTF-8.
    UnknownFieldSet name =
        UnknownFieldSet.newBuilder()
            .addField(
                1,
                UnknownFieldSet.Field.newBuilder()
                    .addLengthDelimited(ByteString.fromHex("ff"))
                    .build())
            .build();
    daemon.changingMacs(answer -> answer.toBuilder().setUnknownFields(name).build());
    assertUndecodable(() -> hmacd.generateMac(KEY, MESSAGE, ALGORITHM));
    assertThat(daemon.calls())
        .containsExactly("DescribeKey", "DescribeKey", "GenerateMac", "GenerateMac");
  }

  private static void assertUndecodable(ThrowingCallable call) {
    HmacdException failure = failure(call);
    assertThat(failure.reason()).isEqualTo(ErrorReason.CHECKSUM_MISMATCH);
    assertThat(failure)
        .hasMessageStartingWith("CHECKSUM_MISMATCH: the answer cannot be decoded (target ");
  }

  @ParameterizedTest
  @MethodSource("otherMacs")
  void macOfAnotherAlgorithmOrLengthIsNotReturned(UnaryOperator<GenerateMacResponse> change) {
    daemon.changingMacs(change);
    assertThat(failure(() -> hmacd.generateMac(KEY, MESSAGE, ALGORITHM)).reason())
        .isEqualTo(ErrorReason.CHECKSUM_MISMATCH);
    assertThat(daemon.calls()).hasSize(2);
  }

  static Stream<UnaryOperator<GenerateMacResponse>> otherMacs() {
    return Stream.of(
        answer -> answer.toBuilder().clearMac().clearMacCrc32C().build(),
        answer -> answer.toBuilder().clearMacAlgorithm().build(),
        answer -> answer.toBuilder().setMacAlgorithmValue(99).build(),
        answer ->
            answer.toBuilder()
                .setMacAlgorithm(dev.hmacd.v1.MacAlgorithm.MAC_ALGORITHM_HMAC_SHA_512)
                .build());
  }

  @Test
  void damagedRequestIsSentOnceMore() {
    daemon.failing(1, Code.INVALID_ARGUMENT, "CHECKSUM_MISMATCH");
    assertThat(hmacd.generateMac(KEY, MESSAGE, ALGORITHM).toByteArray()).isEqualTo(MAC);
    daemon.failing(1, Code.INVALID_ARGUMENT, "CHECKSUM_MISMATCH");
    assertThat(hmacd.generateMacAsync(KEY, MESSAGE, ALGORITHM).join().toByteArray()).isEqualTo(MAC);
    daemon.failing(2, Code.INVALID_ARGUMENT, "CHECKSUM_MISMATCH");
    assertThat(failure(() -> hmacd.generateMac(KEY, MESSAGE, ALGORITHM)).reason())
        .isEqualTo(ErrorReason.CHECKSUM_MISMATCH);
    assertThat(daemon.calls()).hasSize(6);
    daemon.failing(1, Code.INVALID_ARGUMENT, "CHECKSUM_MISMATCH");
    assertThat(failure(() -> hmacd.createKey(KeySpec.HMAC_256, "")).reason())
        .isEqualTo(ErrorReason.CHECKSUM_MISMATCH);
    assertThat(daemon.calls()).hasSize(7);
  }

  @Test
  void damagedMacIsRequestedOnceMoreAndNeverReturned() {
    daemon.changingMacs(
        answer -> answer.toBuilder().setMac(ByteString.copyFrom(wrongMac())).build());
    HmacdException failure = failure(() -> hmacd.generateMac(KEY, MESSAGE, ALGORITHM));
    assertThat(failure.reason()).isEqualTo(ErrorReason.CHECKSUM_MISMATCH);
    assertThat(failure.retryable()).isTrue();
    assertThat(daemon.calls()).hasSize(2);
    assertThatExceptionOfType(CompletionException.class)
        .isThrownBy(() -> hmacd.generateMacAsync(KEY, MESSAGE, ALGORITHM).join())
        .satisfies(
            e -> assertThat(reasonOf(e.getCause())).isEqualTo(ErrorReason.CHECKSUM_MISMATCH));
    assertThat(daemon.calls()).hasSize(4);
  }

  @Test
  void macOfAMessageThatTheDaemonDidNotCheckIsNotReturned() {
    daemon.changingMacs(answer -> answer.toBuilder().setVerifiedMessageCrc32C(false).build());
    assertThat(failure(() -> hmacd.generateMac(KEY, MESSAGE, ALGORITHM)).reason())
        .isEqualTo(ErrorReason.CHECKSUM_MISMATCH);
  }

  @ParameterizedTest
  @MethodSource("uncheckedVerifications")
  void verificationWithoutACheckedChecksumIsNotReturned(UnaryOperator<VerifyMacResponse> change) {
    daemon.changingVerifications(change);
    assertThat(failure(() -> hmacd.verifyMac(KEY, MESSAGE, ALGORITHM, MAC)).reason())
        .isEqualTo(ErrorReason.CHECKSUM_MISMATCH);
  }

  static Stream<UnaryOperator<VerifyMacResponse>> uncheckedVerifications() {
    return Stream.of(
        answer -> answer.toBuilder().setVerifiedMessageCrc32C(false).build(),
        answer -> answer.toBuilder().setVerifiedMacCrc32C(false).build(),
        answer -> answer.toBuilder().clearMacAlgorithm().build());
  }

  @ParameterizedTest
  @EnumSource(
      mode = EnumSource.Mode.EXCLUDE,
      names = {"ERROR_REASON_UNSPECIFIED", "UNRECOGNIZED"})
  void everyReasonOfTheContractHasAConstant(dev.hmacd.v1.ErrorReason reason) {
    String name = reason.name().substring("ERROR_REASON_".length());
    daemon.failing(1, Code.FAILED_PRECONDITION, name);
    assertThat(failure(() -> hmacd.createKey(KeySpec.HMAC_256, "")).reason().name())
        .isEqualTo(name);
  }

  @ParameterizedTest
  @MethodSource("localReasons")
  void reasonOfThisClientIsUnknownFromADaemon(ErrorReason reason) {
    daemon.failing(1, Code.UNAVAILABLE, reason.name());
    HmacdException failure = failure(() -> hmacd.generateMac(KEY, MESSAGE, ALGORITHM));
    assertThat(failure)
        .isExactlyInstanceOf(HmacdException.class)
        .hasMessageStartingWith(reason + ": a fake's ")
        .returns(ErrorReason.UNKNOWN, HmacdException::reason)
        .returns(false, HmacdException::retryable)
        .returns(true, HmacdException::mayHaveRun)
        .returns(1, HmacdException::attempts);
  }

  /// The reasons that the contract does not define.
  static Stream<ErrorReason> localReasons() {
    Set<String> contract =
        Arrays.stream(dev.hmacd.v1.ErrorReason.values())
            .map(dev.hmacd.v1.ErrorReason::name)
            .collect(Collectors.toSet());
    return Arrays.stream(ErrorReason.values())
        .filter(reason -> !contract.contains("ERROR_REASON_" + reason));
  }

  @Test
  void reasonOfANewerDaemonIsUnknownAndInTheMessage() {
    daemon.failing(1, Code.FAILED_PRECONDITION, "MOON_IN_WRONG_PHASE", "phase", "new");
    HmacdException failure = failure(() -> hmacd.describeKey(KEY));
    assertThat(failure.reason()).isEqualTo(ErrorReason.UNKNOWN);
    assertThat(failure.metadata()).isEqualTo(Map.of("phase", "new"));
    assertThat(failure).hasMessageStartingWith("MOON_IN_WRONG_PHASE: ");
  }

  @Test
  void callToAHangingDaemonEndsAtItsDeadline() {
    daemon.hanging();
    HmacdException failure =
        failure(
            () ->
                hmacd
                    .withDeadlineAfter(Duration.ofMillis(200))
                    .generateMac(KEY, MESSAGE, ALGORITHM));
    assertThat(failure.reason()).isEqualTo(ErrorReason.DEADLINE_EXCEEDED);
    assertThat(failure.retryable()).isTrue();
  }

  @Test
  void dryRunReturnsOrThrowsAsTheCallWould() {
    assertThatCode(() -> hmacd.dryRunGenerateMac(KEY, MESSAGE, ALGORITHM))
        .doesNotThrowAnyException();
    assertThatCode(() -> hmacd.dryRunVerifyMac(KEY, MESSAGE, ALGORITHM, MAC))
        .doesNotThrowAnyException();
    assertThat(failure(() -> hmacd.dryRunVerifyMac(KEY, MESSAGE, ALGORITHM, wrongMac())).reason())
        .isEqualTo(ErrorReason.KMS_INVALID_MAC);
    assertThat(failure(() -> hmacd.dryRunGenerateMac("alias/none", MESSAGE, ALGORITHM)).reason())
        .isEqualTo(ErrorReason.KEY_NOT_FOUND);
  }

  @Test
  void randomBytesAreReturnedAndDamagedOnesAreNot() {
    byte[] random = hmacd.generateRandom(1024);
    assertThat(random).hasSize(1024);
    assertThat(random[1]).isEqualTo((byte) 1);
    assertThat(failure(() -> hmacd.generateRandom(1025)).reason())
        .isEqualTo(ErrorReason.INVALID_FIELD);
    daemon.changingRandoms(answer -> answer.toBuilder().setPlaintextCrc32C(0).build());
    assertThat(failure(() -> hmacd.generateRandom(16)).reason())
        .isEqualTo(ErrorReason.CHECKSUM_MISMATCH);
    daemon.changingRandoms(
        answer -> answer.toBuilder().clearPlaintext().clearPlaintextCrc32C().build());
    assertThat(failure(() -> hmacd.generateRandom(16)).reason())
        .isEqualTo(ErrorReason.CHECKSUM_MISMATCH);
  }

  @Test
  void healthIsThatOfTheDaemonOrOfOneService() {
    assertThat(hmacd.health("")).isEqualTo(HealthStatus.SERVING);
    assertThat(hmacd.health("hmacd.v1.MacService")).isEqualTo(HealthStatus.SERVING);
    daemon.health(2);
    assertThat(hmacd.health("")).isEqualTo(HealthStatus.NOT_SERVING);
    daemon.health(0);
    assertThat(hmacd.health("")).isEqualTo(HealthStatus.UNKNOWN);
    assertThat(failure(() -> hmacd.health("hmacd.v1.NoService")).reason())
        .isEqualTo(ErrorReason.SERVICE_NOT_FOUND);
    assertThat(daemon.calls()).containsOnly("Check");
  }

  @Test
  void grantTokensAreSent() {
    assertThat(failure(() -> hmacd.withGrantTokens(List.of("t")).describeKey(KEY)).reason())
        .isEqualTo(ErrorReason.GRANT_TOKENS_NOT_SUPPORTED);
  }

  @Test
  void keyIsDescribed() {
    assertThat(hmacd.describeKey("alias/orders"))
        .isEqualTo(
            new KeyMetadata(
                KEY,
                FakeDaemon.KEY_ARN,
                Instant.parse("2023-11-14T22:13:20.250Z"),
                "orders \"v1\"",
                KeyState.ENABLED,
                KeySpec.HMAC_256,
                List.of(ALGORITHM),
                KeyOrigin.GENERATED,
                1,
                new TokenObject(
                    "serial",
                    "hmacd:orders",
                    "c0ffee",
                    Optional.of(true),
                    Optional.of(false),
                    Optional.of(true),
                    Optional.of(true),
                    Optional.empty(),
                    OptionalInt.of(32),
                    List.of("second")),
                Optional.empty()));
  }

  @Test
  void statesAreChangedAsRequested() {
    String key = FakeDaemon.KEY_ID;
    assertThat(hmacd.disableKey(key).keyState()).isEqualTo(KeyState.DISABLED);
    assertThat(hmacd.enableKey(key).keyState()).isEqualTo(KeyState.ENABLED);
    KeyMetadata pending = hmacd.scheduleKeyDeletion(key, 7);
    assertThat(pending.keyState()).isEqualTo(KeyState.PENDING_DELETION);
    assertThat(pending.deletionTime()).contains(Instant.ofEpochSecond(7 * 86_400L));
    assertThat(hmacd.cancelKeyDeletion(key).keyState()).isEqualTo(KeyState.DISABLED);
    assertThat(hmacd.updateKeyDescription(key, "other").description()).isEqualTo("other");
  }

  @Test
  void tagsRoundTrip() {
    List<Tag> tags = List.of(new Tag("team", "pay"), new Tag("cost", ""));
    hmacd.tagResource(FakeDaemon.KEY_ID, tags);
    assertThat(hmacd.listResourceTags(FakeDaemon.KEY_ID, 0, "").items()).isEqualTo(tags);
    hmacd.untagResource(FakeDaemon.KEY_ID, List.of("team"));
    assertThat(hmacd.listResourceTags(FakeDaemon.KEY_ID, 0, "").items())
        .containsExactly(new Tag("cost", ""));
    assertThat(hmacd.createKey(KeySpec.HMAC_256, "", tags).description()).isEqualTo("2 tags");
  }

  @Test
  void accessKeyIsCreatedWithASecretThatIsNotPrinted() {
    CreatedAccessKey made = hmacd.createAccessKey("arn:aws:iam::000000000000:user/ci");
    assertThat(made.secretAccessKey()).isEqualTo("secret");
    assertThat(made.toString()).doesNotContain("secret");
    assertThat(hmacd.listAccessKeys(0, "").items()).containsExactly(made.accessKey());
    hmacd.disableAccessKey(made.accessKey().accessKeyId());
    assertThat(hmacd.listAccessKeys(0, "").items())
        .extracting(AccessKeyMetadata::active)
        .containsExactly(false);
    hmacd.deleteAccessKey(made.accessKey().accessKeyId());
    assertThat(hmacd.listAccessKeys(0, "").items()).isEmpty();
  }

  @Test
  void keysAreCreatedAndAdoptedAsRequested() {
    KeyMetadata made = hmacd.createKey(KeySpec.HMAC_512, "for ledgers");
    assertThat(made.keySpec()).isEqualTo(KeySpec.HMAC_512);
    assertThat(made.description()).isEqualTo("for ledgers");
    KeyMetadata adopted = hmacd.adoptKeyById(new byte[] {1, -1}, KeySpec.HMAC_224, "");
    assertThat(adopted.origin()).isEqualTo(KeyOrigin.ADOPTED);
    assertThat(adopted.tokenObject().idHex()).isEqualTo("01ff");
    assertThat(hmacd.adoptKeyByLabel("x", KeySpec.HMAC_224, "").tokenObject().label())
        .isEqualTo("x");
  }

  @Test
  void listsAreCompleteAndRequestPagesOnDemand() {
    assertThat(hmacd.listKeys().limit(2)).hasSize(2);
    assertThat(daemon.calls()).hasSize(1);
    assertThat(hmacd.listKeys().map(KeyListEntry::keyId)).hasSize(5).doesNotHaveDuplicates();
    assertThat(daemon.calls()).hasSize(4);
    assertThat(hmacd.listKeys(3, "").nextPageToken()).isEqualTo("3");
    assertThat(hmacd.listAliases().map(AliasListEntry::aliasName)).containsExactly("alias/orders");
    assertThat(hmacd.listAliases("some-key").map(AliasListEntry::targetKeyId))
        .containsExactly("some-key");
  }

  @Test
  void listThatRepeatsAPageTokenEnds() {
    List<String> tokens = List.of("1", "2", "1");
    daemon.changingLists(
        page -> page.toBuilder().setNextPageToken(tokens.get(daemon.calls().size() - 1)).build());
    assertThat(failure(() -> hmacd.listKeys().forEach(key -> {})).reason())
        .isEqualTo(ErrorReason.INVALID_PAGE_TOKEN);
    assertThat(daemon.calls()).hasSize(3);
  }

  @Test
  void daemonIsReachedOverAUnixSocket(@TempDir Path directory) {
    Path socket = directory.resolve("hmacd.sock");
    try (var local = FakeDaemon.overUnixSocket(socket);
        var client = HmacdClient.builder().target(local.target()).build()) {
      assertThat(client.generateMac(KEY, MESSAGE, ALGORITHM).toByteArray()).isEqualTo(MAC);
    }
  }

  @Test
  void absentDaemonIsUnreachable() throws IOException {
    try (var alone = client(nobody())) {
      HmacdException failure = failure(() -> alone.health(""));
      assertThat(failure.reason()).isEqualTo(ErrorReason.CONNECTION_FAILED);
      assertThat(failure).hasMessageContaining("Connection refused");
      assertThat(failure.retryable()).isTrue();
      assertThat(failure.mayHaveRun()).isFalse();
    }
  }

  @Test
  void unknownHostIsUnreachable() {
    try (var alone = client("hmacd.invalid:1")) {
      HmacdException failure = failure(() -> alone.health(""));
      assertThat(failure.reason()).isEqualTo(ErrorReason.CONNECTION_FAILED);
      assertThat(failure).hasMessageContaining("unknown host: hmacd.invalid:1");
    }
  }

  @Test
  void daemonWithAnotherNameIsNotCalled() {
    try (var imposter = FakeDaemon.overTls(TestPki.daemon("elsewhere.example"));
        var client = client(imposter.target())) {
      assertThat(tlsFault(client)).isEqualTo(TlsFault.DAEMON_NAME_MISMATCH);
      assertThat(imposter.calls()).isEmpty();
    }
  }

  /// Long before the deadline: waiting does not help.
  @Test
  void daemonOfAnotherAuthorityIsNotCalled() {
    TestPki stranger = TestPki.stranger();
    try (var client =
        HmacdClient.builder()
            .target(daemon.target())
            .tls(stranger.ca(), CLIENT.cert(), CLIENT.key())
            .deadlineAfter(Duration.ofMinutes(5))
            .build()) {
      assertThat(tlsFault(client)).isEqualTo(TlsFault.DAEMON_NOT_TRUSTED);
      assertThat(daemon.calls()).isEmpty();
    }
  }

  @Test
  void closedClientRefusesCalls() {
    hmacd.close();
    hmacd.close();
    HmacdException failure = failure(() -> hmacd.describeKey(KEY));
    assertThat(failure).isInstanceOf(ClosedException.class);
    assertThat(failure).hasMessage("CLOSED: the client is closed (no target, 0 attempts)");
    assertThatExceptionOfType(CompletionException.class)
        .isThrownBy(() -> hmacd.generateMacAsync(KEY, MESSAGE, ALGORITHM).join())
        .withCauseInstanceOf(ClosedException.class);
  }

  @Test
  void settingsComeFromTheEnvironment() {
    Map<String, String> environment =
        Map.of(
            "HMACD_TARGET", daemon.target() + ",127.0.0.1:1",
            "HMACD_CA", CLIENT.ca().toString(),
            "HMACD_CERT", CLIENT.cert().toString(),
            "HMACD_KEY", CLIENT.key().toString());
    try (HmacdClient client = HmacdClientBuilder.fromEnv(environment).build()) {
      assertThat(client.health("")).isEqualTo(HealthStatus.SERVING);
    }
    assertThatIllegalArgumentException()
        .isThrownBy(() -> HmacdClientBuilder.fromEnv(Map.of()))
        .withMessageContaining("HMACD_TARGET");
    assertThatIllegalArgumentException()
        .isThrownBy(
            () -> HmacdClientBuilder.fromEnv(Map.of("HMACD_TARGET", "h:1", "HMACD_CA", "ca.pem")))
        .withMessageContaining("HMACD_KEY");
  }

  @Test
  void inconsistentSettingsAreRefused(@TempDir Path directory) throws IOException {
    Path notPem = Files.writeString(directory.resolve("not.pem"), "hello");
    for (String target :
        List.of("", "host", ":1", "::1:8443", "host:port", "host:99999", "unix:relative")) {
      assertThatIllegalArgumentException().isThrownBy(() -> HmacdClient.builder().target(target));
    }
    assertThatIllegalArgumentException().isThrownBy(() -> HmacdClient.builder().build());
    assertThatIllegalArgumentException()
        .isThrownBy(() -> HmacdClient.builder().target("host:1").build())
        .withMessageContaining("TLS");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> client("unix:/run/hmacd.sock"))
        .withMessageContaining("TLS");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> HmacdClient.builder().target("host:1", "unix:/run/hmacd.sock").build())
        .withMessageContaining("TLS");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> HmacdClient.builder().target(new String[17]));
    for (int bytes : new int[] {-1, 0, 1_048_577}) {
      assertThatIllegalArgumentException()
          .isThrownBy(() -> HmacdClient.builder().maxMessageBytes(bytes))
          .withMessage("maxMessageBytes must be 1 to 1048576: " + bytes);
    }
    HmacdClient.builder().maxMessageBytes(1).maxMessageBytes(1_048_576);
    assertThatIllegalArgumentException()
        .isThrownBy(() -> HmacdClient.builder().fileInterval(Duration.ofMillis(999)));
    assertThatIllegalArgumentException()
        .isThrownBy(() -> HmacdClient.builder().attemptTimeout(Duration.ZERO));
    TestPki expired = TestPki.expiredClient();
    assertThatIllegalArgumentException()
        .isThrownBy(
            () ->
                HmacdClient.builder()
                    .target("h:1")
                    .tls(expired.ca(), expired.cert(), expired.key())
                    .build())
        .withMessageContaining("expired at");
    assertThatIllegalArgumentException()
        .isThrownBy(
            () -> HmacdClient.builder().target("h:1").tls(CLIENT.ca(), notPem, notPem).build());
    assertThatExceptionOfType(UncheckedIOException.class)
        .isThrownBy(
            () ->
                HmacdClient.builder()
                    .target("h:1")
                    .tls(directory.resolve("none"), notPem, notPem)
                    .build());
    assertThatIllegalArgumentException().isThrownBy(() -> hmacd.withDeadlineAfter(Duration.ZERO));
    assertThatIllegalArgumentException()
        .isThrownBy(() -> hmacd.generateMac(KEY, MESSAGE, MacAlgorithm.UNKNOWN));
  }

  private static HmacdClient client(String... targets) {
    return HmacdClient.builder()
        .target(targets)
        .tls(CLIENT.ca(), CLIENT.cert(), CLIENT.key())
        .build();
  }

  private static Arguments call(String method, Consumer<HmacdClient> call) {
    return Arguments.of(method, call);
  }

  private static byte[] wrongMac() {
    byte[] wrong = Arrays.copyOf(MAC, MAC.length);
    wrong[0] ^= 1;
    return wrong;
  }

  /// An address without a listener.
  private static String nobody() throws IOException {
    try (var socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      return "127.0.0.1:" + socket.getLocalPort();
    }
  }

  private static HmacdException failure(ThrowingCallable call) {
    return catchThrowableOfType(HmacdException.class, call);
  }

  private static TlsFault tlsFault(HmacdClient client) {
    return catchThrowableOfType(TlsFailedException.class, () -> client.describeKey(KEY)).fault();
  }

  private static ErrorReason reasonOf(@Nullable Throwable failure) {
    return ((HmacdException) requireNonNull(failure)).reason();
  }
}

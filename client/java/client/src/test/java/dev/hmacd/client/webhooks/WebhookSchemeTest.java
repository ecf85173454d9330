package dev.hmacd.client.webhooks;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import com.google.errorprone.annotations.CanIgnoreReturnValue;
import dev.hmacd.client.DeadlineExceededException;
import dev.hmacd.client.ErrorReason;
import dev.hmacd.client.FakeMacService;
import dev.hmacd.client.HmacdClient;
import dev.hmacd.client.HmacdException;
import dev.hmacd.client.HmacdKey;
import dev.hmacd.client.InvalidMacException;
import dev.hmacd.client.MacAlgorithm;
import dev.hmacd.client.MessageTooLongException;
import dev.hmacd.client.Verification;
import io.grpc.Status.Code;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.LongSupplier;
import java.util.stream.LongStream;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(60)
class WebhookSchemeTest {
  private static final WebhookVectors VECTORS = WebhookVectors.read();
  private static final String WRONG_HEX = "0".repeat(64);
  private static final String WRONG_BASE64 = "A".repeat(43) + "=";

  private final FakeMacService daemon;
  private final HmacdClient client;
  private final HmacdKey key;
  private final HmacdKey other;

  WebhookSchemeTest(@TempDir Path folder) {
    daemon =
        new FakeMacService(folder.resolve("hmacd.sock"))
            .key("alias/webhooks", MacAlgorithm.HMAC_SHA_256, VECTORS.secret())
            .key("alias/other", MacAlgorithm.HMAC_SHA_256, "another secret".getBytes(UTF_8));
    client =
        HmacdClient.builder().target(daemon.target()).deadlineAfter(Duration.ofMinutes(1)).build();
    key = client.key("alias/webhooks", MacAlgorithm.HMAC_SHA_256);
    other = client.key("alias/other", MacAlgorithm.HMAC_SHA_256);
  }

  @AfterEach
  void close() {
    client.close();
    daemon.close();
  }

  @ParameterizedTest
  @EnumSource
  void vectorsAreSignedAndVerified(WebhookScheme scheme) {
    assertThat(scheme.sign(key, VECTORS.body(), "msg_1", VECTORS.time()))
        .isEqualTo(VECTORS.headers().get(scheme));
    assertThat(verify(scheme, VECTORS.received(scheme), VECTORS.body(), key).keyArn())
        .isEqualTo("alias/webhooks");
  }

  @ParameterizedTest
  @EnumSource
  void signatureOfNowIsVerifiedNow(WebhookScheme scheme) {
    var signed = WebhookHeaders.ofSingle(scheme.sign(key, VECTORS.body(), "msg_1"));
    scheme.verify(signed, VECTORS.body(), key);
    assertInvalid(() -> scheme.verify(signed, "other".getBytes(UTF_8), key));
  }

  @ParameterizedTest
  @MethodSource("variants")
  void variantIsAcceptedAsInTheVectors(WebhookVectors.Variant variant) {
    ThrowingCallable verification =
        () ->
            variant
                .scheme()
                .verify(
                    WebhookHeaders.ofSingle(variant.headers()),
                    VECTORS.body(),
                    List.of(key),
                    VECTORS.time(),
                    System::nanoTime);
    if (variant.accepted()) {
      assertThatCode(verification).doesNotThrowAnyException();
    } else {
      assertInvalid(verification);
      assertThat(daemon.calls()).isZero();
    }
  }

  static List<WebhookVectors.Variant> variants() {
    return VECTORS.variants();
  }

  @ParameterizedTest
  @EnumSource
  void anotherBodyOrKeyIsRefused(WebhookScheme scheme) {
    Map<String, List<String>> headers = VECTORS.received(scheme);
    assertInvalid(() -> verify(scheme, headers, "other".getBytes(UTF_8), key));
    assertInvalid(() -> verify(scheme, headers, VECTORS.body(), other));
    assertThat(daemon.calls()).isEqualTo(2);
  }

  @ParameterizedTest
  @EnumSource
  void oneOfSeveralKeysIsEnough(WebhookScheme scheme) {
    verify(scheme, VECTORS.received(scheme), VECTORS.body(), other, key);
    assertThat(daemon.calls()).isEqualTo(2);
  }

  @ParameterizedTest
  @EnumSource
  void missingMalformedOrRepeatedHeaderIsRefusedWithoutACall(WebhookScheme scheme) {
    VECTORS
        .received(scheme)
        .forEach(
            (name, values) -> {
              String value = values.get(0);
              Map<String, List<String>> changed = VECTORS.received(scheme);
              changed.remove(name);
              assertInvalid(() -> verify(scheme, changed, VECTORS.body(), key));
              for (List<String> change :
                  List.of(
                      List.<String>of(),
                      List.of(""),
                      List.of(" "),
                      List.of("\u0661\u0662"),
                      List.of(value + "\n"),
                      List.of(value, value))) {
                changed.put(name, change);
                assertInvalid(() -> verify(scheme, changed, VECTORS.body(), key));
              }
              changed.put(name, values);
              changed.put(name.toUpperCase(Locale.ROOT), values);
              changed.put(name.toLowerCase(Locale.ROOT), values);
              assertInvalid(() -> verify(scheme, changed, VECTORS.body(), key));
            });
    assertThat(daemon.calls()).isZero();
  }

  @ParameterizedTest
  @EnumSource
  void malformedSignatureIsRefusedWithoutACall(WebhookScheme scheme) {
    String name = WebhookVectors.signatureHeader(scheme);
    String right = VECTORS.signature(scheme);
    for (String value :
        List.of(
            right + "0",
            right + "00",
            right.substring(0, right.length() - 1),
            right.substring(0, right.length() - 2),
            "x" + right,
            right.replace("v", "V").replace("sha", "SHA"),
            "md5=" + WRONG_HEX)) {
      Map<String, List<String>> changed = VECTORS.received(scheme);
      changed.put(name, List.of(value));
      assertInvalid(() -> verify(scheme, changed, VECTORS.body(), key));
    }
    assertThat(daemon.calls()).isZero();
  }

  @ParameterizedTest
  @EnumSource
  void namesOfHeadersHaveNoCase(WebhookScheme scheme) {
    Map<String, List<String>> lower = new HashMap<>();
    Map<String, List<String>> upper = new HashMap<>();
    VECTORS
        .received(scheme)
        .forEach(
            (name, values) -> {
              lower.put(name.toLowerCase(Locale.ROOT), values);
              upper.put(name.toUpperCase(Locale.ROOT), values);
            });
    verify(scheme, lower, VECTORS.body(), key);
    verify(scheme, upper, VECTORS.body(), key);
  }

  @Test
  void namesOfSingleHeadersHaveNoCaseAndAreNotRepeated() {
    WebhookHeaders headers = WebhookHeaders.ofSingle(Map.of("A", "1", "a", "2", "B", "3"));
    assertThat(headers.values("a")).containsExactlyInAnyOrder("1", "2");
    assertThat(headers.values("b")).containsExactly("3");
    assertThat(headers.values("c")).isEmpty();
  }

  @Test
  void headersOfAFrameworkMayBeNullIfTheyAreMissing() {
    assertInvalid(() -> WebhookScheme.GITHUB.verify(name -> null, VECTORS.body(), key));
    WebhookScheme.GITHUB.verify(VECTORS.received(WebhookScheme.GITHUB)::get, VECTORS.body(), key);
  }

  @ParameterizedTest
  @EnumSource(mode = EnumSource.Mode.EXCLUDE, names = "GITHUB")
  void toleranceIs300SecondsInBothDirections(WebhookScheme scheme) {
    for (long seconds : List.of(-300L, 300L)) {
      assertThatCode(() -> verifyAt(scheme, VECTORS.time().plusSeconds(seconds)))
          .doesNotThrowAnyException();
    }
    int calls = daemon.calls();
    for (Instant now :
        List.of(
            VECTORS.time().minusSeconds(300).minusNanos(1),
            VECTORS.time().plusSeconds(300).plusNanos(1))) {
      assertInvalid(() -> verifyAt(scheme, now));
    }
    assertThat(daemon.calls()).isEqualTo(calls);
  }

  @Test
  void gitHubHasNoTimeStamp() {
    verifyAt(WebhookScheme.GITHUB, VECTORS.time().plusSeconds(1_000_000));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "-1700000000",
        "+1700000000",
        "1.7e9",
        " 1700000000",
        "1700000000 ",
        "0000000000001700000000",
        "99999999999999999999"
      })
  void malformedTimeStampIsRefusedWithoutACall(String time) {
    Map<String, List<String>> headers = VECTORS.received(WebhookScheme.SLACK);
    headers.put("X-Slack-Request-Timestamp", List.of(time));
    assertInvalid(() -> verify(WebhookScheme.SLACK, headers, VECTORS.body(), key));
    assertThat(daemon.calls()).isZero();
  }

  @Test
  void oneOfSeveralSignaturesIsEnoughAndOtherVersionsDoNotCount() {
    verify(
        WebhookScheme.STRIPE,
        stripe(",v0=zz" + (",v1=" + WRONG_HEX).repeat(7)),
        VECTORS.body(),
        key);
    verify(
        WebhookScheme.STANDARD,
        standard("v1a,x " + ("v1," + WRONG_BASE64 + " ").repeat(7)),
        VECTORS.body(),
        key);
    assertThat(daemon.calls()).isEqualTo(16);
  }

  @Test
  void moreThan8SignaturesAreRefusedWithoutACall() {
    assertInvalid(
        () ->
            verify(
                WebhookScheme.STRIPE, stripe((",v1=" + WRONG_HEX).repeat(8)), VECTORS.body(), key));
    assertInvalid(
        () ->
            verify(
                WebhookScheme.STANDARD,
                standard(("v1," + WRONG_BASE64 + " ").repeat(8)),
                VECTORS.body(),
                key));
    assertThat(daemon.calls()).isZero();
  }

  @Test
  void twoTimeStampsAreRefusedWithoutACall() {
    assertInvalid(() -> verify(WebhookScheme.STRIPE, stripe(",t=1700000000"), VECTORS.body(), key));
    assertThat(daemon.calls()).isZero();
  }

  @Test
  void otherBase64OfTheSameMacIsRefusedWithoutACall() {
    String right = VECTORS.signature(WebhookScheme.STANDARD).substring("v1,".length());
    byte[] mac = Base64.getDecoder().decode(right);
    // Another text for the two unused bits of the last digit, and a text without padding.
    for (String text : List.of(right.replace("U=", "V="), right.replace("=", ""))) {
      assertThat(text).isNotEqualTo(right);
      assertThat(Base64.getDecoder().decode(text)).isEqualTo(mac);
      Map<String, List<String>> headers = VECTORS.received(WebhookScheme.STANDARD);
      headers.put("webhook-signature", List.of("v1," + text));
      assertInvalid(() -> verify(WebhookScheme.STANDARD, headers, VECTORS.body(), key));
    }
    assertThat(daemon.calls()).isZero();
  }

  @Test
  void signatureDoesNotFitAnIdWithAFullStop() {
    // The signed text of the id "msg", the time stamp 1600000000 and the body "1700000000.x".
    byte[] mac = key.generate("msg.1600000000.1700000000.x".getBytes(UTF_8)).toByteArray();
    int calls = daemon.calls();
    for (String id : List.of("msg.1600000000", "", "a b", "a\n", "\u00e9", "x".repeat(257))) {
      Map<String, List<String>> headers =
          Map.of(
              "webhook-id", List.of(id),
              "webhook-timestamp", List.of("1700000000"),
              "webhook-signature", List.of("v1," + Base64.getEncoder().encodeToString(mac)));
      assertInvalid(() -> verify(WebhookScheme.STANDARD, headers, "x".getBytes(UTF_8), key));
      assertThatIllegalArgumentException()
          .isThrownBy(() -> WebhookScheme.STANDARD.sign(key, VECTORS.body(), id));
    }
    assertThatIllegalArgumentException()
        .isThrownBy(() -> WebhookScheme.STANDARD.sign(key, VECTORS.body()));
    assertThat(daemon.calls()).isEqualTo(calls);
  }

  @ParameterizedTest
  @EnumSource
  void outageIsNoVerdict(WebhookScheme scheme) {
    daemon.failing(Code.PERMISSION_DENIED, "ACCESS_DENIED");
    assertThatExceptionOfType(HmacdException.class)
        .isThrownBy(() -> verify(scheme, VECTORS.received(scheme), VECTORS.body(), key, other))
        .satisfies(e -> assertThat(e.reason()).isEqualTo(ErrorReason.ACCESS_DENIED));
    daemon.failing(Code.PERMISSION_DENIED, "ACCESS_DENIED");
    verify(scheme, VECTORS.received(scheme), VECTORS.body(), other, key);
    assertThat(daemon.calls()).isEqualTo(4);
  }

  /// hmacd makes no MAC of such a message, with any key.
  @ParameterizedTest
  @EnumSource
  void reservedContentIsRefused(WebhookScheme scheme) {
    daemon
        .failing(Code.PERMISSION_DENIED, "ACCESS_DENIED")
        .failing(Code.INVALID_ARGUMENT, "RESERVED_MESSAGE");
    assertInvalid(() -> verify(scheme, VECTORS.received(scheme), VECTORS.body(), key, other));
    assertThat(daemon.calls()).isEqualTo(2);
  }

  @Test
  void firstErrorWithoutAVerdictIsReported() {
    daemon.failing(Code.PERMISSION_DENIED, "ACCESS_DENIED").failing(Code.INTERNAL, "INTERNAL");
    assertThatExceptionOfType(HmacdException.class)
        .isThrownBy(
            () ->
                verify(
                    WebhookScheme.GITHUB,
                    VECTORS.received(WebhookScheme.GITHUB),
                    VECTORS.body(),
                    key,
                    other))
        .satisfies(e -> assertThat(e.reason()).isEqualTo(ErrorReason.ACCESS_DENIED));
  }

  @Test
  void allCallsShareOneDeadline() {
    LongSupplier elapsing = steps(Duration.ofSeconds(25));
    // The calls start after 25 s, 50 s and 75 s of 60 s.
    assertThatExceptionOfType(DeadlineExceededException.class)
        .isThrownBy(
            () ->
                WebhookScheme.STRIPE.verify(
                    WebhookHeaders.of(stripe((",v1=" + WRONG_HEX).repeat(2))),
                    "other".getBytes(UTF_8),
                    List.of(key),
                    VECTORS.time(),
                    elapsing));
    List<Duration> deadlines = daemon.deadlines();
    assertThat(deadlines).hasSize(2);
    assertThat(deadlines.get(0)).isLessThanOrEqualTo(Duration.ofSeconds(35));
    assertThat(deadlines.get(1)).isLessThanOrEqualTo(Duration.ofSeconds(10));
  }

  @Test
  void lateVerdictOfAnotherKeyCountsIfItsDeadlineIsLater() {
    LongSupplier elapsing = steps(Duration.ofSeconds(50));
    WebhookScheme.GITHUB.verify(
        WebhookHeaders.of(VECTORS.received(WebhookScheme.GITHUB)),
        VECTORS.body(),
        List.of(other, key.withDeadlineAfter(Duration.ofSeconds(160))),
        VECTORS.time(),
        elapsing);
    assertThat(daemon.deadlines().get(1)).isLessThanOrEqualTo(Duration.ofMinutes(1));
  }

  @Test
  void contentOverTheLimitIsNoVerdict() {
    byte[] body = new byte[key.maxMessageBytes()];
    assertThatExceptionOfType(MessageTooLongException.class)
        .isThrownBy(
            () -> verify(WebhookScheme.SLACK, VECTORS.received(WebhookScheme.SLACK), body, key));
    assertThat(daemon.calls()).isZero();
  }

  @ParameterizedTest
  @EnumSource
  void keysAreCheckedFirst(WebhookScheme scheme) {
    HmacdKey sha512 = client.key("alias/webhooks", MacAlgorithm.HMAC_SHA_512);
    for (List<HmacdKey> keys :
        List.of(List.<HmacdKey>of(), List.of(sha512), List.of(key, sha512))) {
      assertThatIllegalArgumentException()
          .isThrownBy(
              () -> scheme.verify(name -> null, VECTORS.body(), keys.toArray(HmacdKey[]::new)));
    }
    assertThatIllegalArgumentException()
        .isThrownBy(() -> scheme.sign(sha512, VECTORS.body(), "msg_1"));
    assertThat(daemon.calls()).isZero();
  }

  private static void assertInvalid(ThrowingCallable call) {
    assertThatExceptionOfType(InvalidMacException.class)
        .isThrownBy(call)
        .satisfies(e -> assertThat(e.reason()).isEqualTo(ErrorReason.KMS_INVALID_MAC));
  }

  @CanIgnoreReturnValue
  private static Verification verify(
      WebhookScheme scheme, Map<String, List<String>> headers, byte[] body, HmacdKey... keys) {
    return scheme.verify(
        WebhookHeaders.of(headers), body, List.of(keys), VECTORS.time(), System::nanoTime);
  }

  private void verifyAt(WebhookScheme scheme, Instant now) {
    scheme.verify(
        WebhookHeaders.of(VECTORS.received(scheme)),
        VECTORS.body(),
        List.of(key),
        now,
        System::nanoTime);
  }

  /// A clock that advances by a step after each reading.
  private static LongSupplier steps(Duration step) {
    return LongStream.iterate(0, time -> time + step.toNanos()).iterator()::nextLong;
  }

  /// The header of the vectors, with another text after the time stamp.
  private static Map<String, List<String>> stripe(String inserted) {
    String right = VECTORS.signature(WebhookScheme.STRIPE);
    return Map.of("Stripe-Signature", List.of(right.replace(",", inserted + ",")));
  }

  /// The headers of the vectors, with another text before the signature.
  private static Map<String, List<String>> standard(String inserted) {
    Map<String, List<String>> headers = VECTORS.received(WebhookScheme.STANDARD);
    headers.computeIfPresent(
        "webhook-signature", (name, values) -> List.of(inserted + values.get(0)));
    return headers;
  }
}

package dev.hmacd.nimbus;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.nimbusds.jose.JOSEException;
import com.nimbusds.jose.JWSAlgorithm;
import com.nimbusds.jose.JWSHeader;
import com.nimbusds.jose.JWSSigner;
import com.nimbusds.jose.KeyTypeException;
import com.nimbusds.jose.crypto.MACSigner;
import com.nimbusds.jose.crypto.MACVerifier;
import com.nimbusds.jose.proc.BadJOSEException;
import com.nimbusds.jose.proc.SecurityContext;
import com.nimbusds.jwt.JWTClaimsSet;
import com.nimbusds.jwt.PlainJWT;
import com.nimbusds.jwt.SignedJWT;
import com.nimbusds.jwt.proc.DefaultJWTProcessor;
import dev.hmacd.client.ErrorReason;
import dev.hmacd.client.FakeMacService;
import dev.hmacd.client.HmacdClient;
import dev.hmacd.client.HmacdException;
import dev.hmacd.client.HmacdKey;
import dev.hmacd.client.MacAlgorithm;
import dev.hmacd.client.MessageTooLongException;
import dev.hmacd.jca.HmacdSecretKey;
import io.grpc.Status.Code;
import java.nio.file.Path;
import java.text.ParseException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Date;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import javax.crypto.spec.SecretKeySpec;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(240)
class HmacdNimbusTest {
  private static final JwtVectors VECTORS = JwtVectors.read();
  private static final byte[] SECRET = "s".repeat(64).getBytes(UTF_8);
  private static final byte[] OTHER_SECRET = "o".repeat(64).getBytes(UTF_8);
  private static final JWTClaimsSet CLAIMS =
      new JWTClaimsSet.Builder()
          .subject("4711")
          .expirationTime(Date.from(Instant.ofEpochSecond(4_000_000_000L)))
          .build();

  private final FakeMacService daemon;
  private final HmacdClient client;

  HmacdNimbusTest(@TempDir Path folder) {
    daemon = new FakeMacService(folder.resolve("hmacd.sock"));
    client =
        HmacdClient.builder().target(daemon.target()).deadlineAfter(Duration.ofMinutes(2)).build();
  }

  @AfterEach
  void close() {
    client.close();
    daemon.close();
  }

  @ParameterizedTest
  @EnumSource(
      mode = EnumSource.Mode.EXCLUDE,
      names = {"HMAC_SHA_224", "UNKNOWN"})
  void tokenOfHmacdIsRightForNimbus(MacAlgorithm algorithm) throws Exception {
    SignedJWT token = token(algorithm, "k1", new HmacdSigner(key(algorithm)));
    assertThat(SignedJWT.parse(token.serialize()).verify(new MACVerifier(SECRET))).isTrue();
    assertThat(token.serialize())
        .isEqualTo(token(algorithm, "k1", new MACSigner(SECRET)).serialize());
  }

  @ParameterizedTest
  @EnumSource(
      mode = EnumSource.Mode.EXCLUDE,
      names = {"HMAC_SHA_224", "UNKNOWN"})
  void tokenOfNimbusIsRightForHmacd(MacAlgorithm algorithm) throws Exception {
    String token = token(algorithm, "k1", new MACSigner(SECRET)).serialize();
    assertThat(processor(key(algorithm)).process(token, null)).isEqualTo(CLAIMS);
    assertThat(daemon.calls()).isEqualTo(1);
  }

  @ParameterizedTest
  @EnumSource(
      mode = EnumSource.Mode.EXCLUDE,
      names = {"HMAC_SHA_224", "UNKNOWN"})
  void tokenOfAnotherSecretIsRefused(MacAlgorithm algorithm) throws Exception {
    SignedJWT token = token(algorithm, "k1", new MACSigner(OTHER_SECRET));
    assertThat(token.verify(new HmacdVerifier(key(algorithm)))).isFalse();
    assertRefused(token.serialize(), key(algorithm), 2);
  }

  @ParameterizedTest
  @MethodSource
  void rightVectorIsAccepted(JwtVectors.Token vector) throws Exception {
    assertThat(processor(vectorKey(vector)).process(vector.text(), null)).isEqualTo(CLAIMS);
  }

  static Stream<JwtVectors.Token> rightVectorIsAccepted() {
    return Stream.concat(VECTORS.right().stream(), VECTORS.accepted().stream());
  }

  @ParameterizedTest
  @MethodSource
  void wrongVectorIsRefused(JwtVectors.Token vector) {
    assertRefused(vector.text(), vectorKey(vector), vector.why().equals("another key") ? 1 : 0);
  }

  static List<JwtVectors.Token> wrongVectorIsRefused() {
    return VECTORS.wrong();
  }

  @Test
  void algNoneIsRefused() {
    assertRefused(new PlainJWT(CLAIMS).serialize(), key(MacAlgorithm.HMAC_SHA_256), 0);
  }

  @Test
  void algOfTheTokenIsNotUsed() throws Exception {
    HmacdKey key = key(MacAlgorithm.HMAC_SHA_256);
    SignedJWT swapped = token(MacAlgorithm.HMAC_SHA_512, "k1", new MACSigner(SECRET));
    assertRefused(swapped.serialize(), key, 0);
    assertThatExceptionOfType(JOSEException.class)
        .isThrownBy(() -> swapped.verify(new HmacdVerifier(key)));
    assertThatExceptionOfType(JOSEException.class)
        .isThrownBy(
            () ->
                new HmacdVerifierFactory()
                    .createJWSVerifier(swapped.getHeader(), new HmacdSecretKey(key)));
    assertThatExceptionOfType(JOSEException.class)
        .isThrownBy(
            () -> new HmacdSigner(key).sign(swapped.getHeader(), swapped.getSigningInput()));
    assertThat(daemon.calls()).isZero();
  }

  @Test
  void unknownOrMissingKidIsRefusedWithoutACall() throws Exception {
    HmacdKey key = key(MacAlgorithm.HMAC_SHA_256);
    JWSSigner nimbus = new MACSigner(SECRET);
    assertRefused(token(MacAlgorithm.HMAC_SHA_256, "k2", nimbus).serialize(), key, 0);
    var noKid = new SignedJWT(new JWSHeader(JWSAlgorithm.HS256), CLAIMS);
    noKid.sign(nimbus);
    assertRefused(noKid.serialize(), key, 0);
  }

  @Test
  void criticalParameterIsRefusedAsByNimbus() throws Exception {
    var header =
        new JWSHeader.Builder(JWSAlgorithm.HS256)
            .keyID("k1")
            .criticalParams(Set.of("x"))
            .customParam("x", true)
            .build();
    var token = new SignedJWT(header, CLAIMS);
    token.sign(new MACSigner(SECRET));
    assertThat(token.verify(new MACVerifier(SECRET))).isFalse();
    assertThat(token.verify(new HmacdVerifier(key(MacAlgorithm.HMAC_SHA_256)))).isFalse();
    assertRefused(token.serialize(), key(MacAlgorithm.HMAC_SHA_256), 0);
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void extensionThatNimbusHasIsRefusedWithoutACall(boolean encoded) throws Exception {
    var header =
        new JWSHeader.Builder(JWSAlgorithm.HS256)
            .keyID("k1")
            .base64URLEncodePayload(encoded)
            .criticalParams(Set.of("b64"))
            .build();
    var token = new SignedJWT(header, CLAIMS);
    token.sign(new MACSigner(SECRET));
    assertThat(token.verify(new MACVerifier(SECRET))).isTrue();
    assertThat(token.verify(new HmacdVerifier(key(MacAlgorithm.HMAC_SHA_256)))).isFalse();
    assertRefused(token.serialize(), key(MacAlgorithm.HMAC_SHA_256), 0);
  }

  @Test
  void payloadWithoutBase64UrlIsRefusedAlsoIfItIsNotCritical() throws Exception {
    var header = new JWSHeader.Builder(JWSAlgorithm.HS256).base64URLEncodePayload(false).build();
    var token = new SignedJWT(header, CLAIMS);
    token.sign(new MACSigner(SECRET));
    assertThat(token.verify(new HmacdVerifier(key(MacAlgorithm.HMAC_SHA_256)))).isFalse();
    assertThat(daemon.calls()).isZero();
  }

  @ParameterizedTest
  @EnumSource(
      mode = EnumSource.Mode.EXCLUDE,
      names = {"HMAC_SHA_224", "UNKNOWN"})
  void anotherTextOfARightSignatureIsRefusedWithoutACall(MacAlgorithm algorithm) throws Exception {
    String right = token(algorithm, "k1", new MACSigner(SECRET)).serialize();
    for (String text : otherTexts(right, algorithm)) {
      assertThat(SignedJWT.parse(text).verify(new MACVerifier(SECRET)))
          .as("Nimbus decodes the same signature")
          .isTrue();
      assertRefused(text, key(algorithm), 0);
    }
    assertThat(processor(key(algorithm)).process(right, null)).isEqualTo(CLAIMS);
  }

  /// Texts of the same signature: with padding, with a character that is not base64url, and with
  /// another value of the unused bits. The last digit of 48 bytes has none.
  private static List<String> otherTexts(String right, MacAlgorithm algorithm) {
    int end = right.length() - 1;
    List<String> texts =
        new ArrayList<>(List.of(right + "=", right.substring(0, end) + "*" + right.charAt(end)));
    if (algorithm != MacAlgorithm.HMAC_SHA_384) {
      String digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
      texts.add(right.substring(0, end) + digits.charAt(digits.indexOf(right.charAt(end)) + 1));
    }
    return texts;
  }

  @Test
  void outageIsNoVerdict() throws Exception {
    HmacdKey key = key(MacAlgorithm.HMAC_SHA_256);
    SignedJWT token = token(MacAlgorithm.HMAC_SHA_256, "k1", new MACSigner(SECRET));
    daemon.failing(Code.PERMISSION_DENIED, "ACCESS_DENIED");
    assertThatExceptionOfType(HmacdJoseException.class)
        .isThrownBy(() -> processor(key).process(token.serialize(), null))
        .satisfies(HmacdNimbusTest::assertAccessDenied);
    daemon.failing(Code.PERMISSION_DENIED, "ACCESS_DENIED");
    assertThatExceptionOfType(HmacdJoseException.class)
        .isThrownBy(() -> token.verify(new HmacdVerifier(key)));
    assertThat(token.getState()).isNotEqualTo(SignedJWT.State.VERIFIED);
    daemon.failing(Code.PERMISSION_DENIED, "ACCESS_DENIED");
    assertThatExceptionOfType(HmacdJoseException.class)
        .isThrownBy(() -> token(MacAlgorithm.HMAC_SHA_256, "k1", new HmacdSigner(key)))
        .satisfies(HmacdNimbusTest::assertAccessDenied);
    assertThat(daemon.calls()).isEqualTo(3);
  }

  @Test
  void tooLongTokenIsNoVerdict() throws Exception {
    var claims = new JWTClaimsSet.Builder().claim("x", "x".repeat(65_536)).build();
    var token =
        new SignedJWT(new JWSHeader.Builder(JWSAlgorithm.HS256).keyID("k1").build(), claims);
    token.sign(new MACSigner(SECRET));
    assertThatExceptionOfType(HmacdJoseException.class)
        .isThrownBy(
            () -> processor(key(MacAlgorithm.HMAC_SHA_256)).process(token.serialize(), null))
        .withCauseInstanceOf(MessageTooLongException.class);
  }

  @Test
  void keyWithoutANameInJwsIsRefused() {
    HmacdKey key = client.key("alias/tokens", MacAlgorithm.HMAC_SHA_224);
    assertThatIllegalArgumentException().isThrownBy(() -> new HmacdSigner(key));
    assertThatIllegalArgumentException().isThrownBy(() -> new HmacdVerifier(key));
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new HmacdKeySelector<SecurityContext>(Map.of("k1", key)));
  }

  @Test
  void factoryRefusesAnotherKey() {
    assertThatExceptionOfType(KeyTypeException.class)
        .isThrownBy(
            () ->
                new HmacdVerifierFactory()
                    .createJWSVerifier(
                        new JWSHeader(JWSAlgorithm.HS256),
                        new SecretKeySpec(SECRET, "HmacSHA256")));
  }

  @Test
  void algorithmIsThatOfTheKey() {
    HmacdKey key = key(MacAlgorithm.HMAC_SHA_384);
    assertThat(new HmacdSigner(key).supportedJWSAlgorithms()).containsExactly(JWSAlgorithm.HS384);
    assertThat(new HmacdVerifier(key).supportedJWSAlgorithms()).containsExactly(JWSAlgorithm.HS384);
  }

  /// The key `alias/tokens` with the secret of the test.
  private HmacdKey key(MacAlgorithm algorithm) {
    daemon.key("alias/tokens", algorithm, SECRET);
    return client.key("alias/tokens", algorithm);
  }

  private HmacdKey vectorKey(JwtVectors.Token vector) {
    var algorithm = MacAlgorithm.valueOf("HMAC_SHA_" + vector.alg().substring(2));
    daemon.key("alias/vectors", algorithm, VECTORS.secret());
    return client.key("alias/vectors", algorithm);
  }

  private static SignedJWT token(MacAlgorithm algorithm, String kid, JWSSigner signer)
      throws JOSEException {
    var header = new JWSHeader.Builder(JwsAlgorithms.of(algorithm)).keyID(kid).build();
    var token = new SignedJWT(header, CLAIMS);
    token.sign(signer);
    return token;
  }

  private static DefaultJWTProcessor<SecurityContext> processor(HmacdKey key) {
    var processor = new DefaultJWTProcessor<SecurityContext>();
    processor.setJWSKeySelector(new HmacdKeySelector<>(Map.of("k1", key)));
    processor.setJWSVerifierFactory(new HmacdVerifierFactory());
    return processor;
  }

  private void assertRefused(String token, HmacdKey key, int calls) {
    assertThatThrownBy(() -> processor(key).process(token, null))
        .isInstanceOfAny(BadJOSEException.class, ParseException.class);
    assertThat(daemon.calls()).isEqualTo(calls);
  }

  private static void assertAccessDenied(HmacdJoseException e) {
    assertThat(e.getCause())
        .isInstanceOfSatisfying(
            HmacdException.class,
            cause -> assertThat(cause.reason()).isEqualTo(ErrorReason.ACCESS_DENIED));
  }
}

package dev.hmacd.nimbus;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import com.nimbusds.jose.JOSEObjectType;
import com.nimbusds.jose.JWSHeader;
import com.nimbusds.jose.crypto.MACSigner;
import com.nimbusds.jose.crypto.MACVerifier;
import com.nimbusds.jwt.JWTClaimsSet;
import com.nimbusds.jwt.PlainJWT;
import com.nimbusds.jwt.SignedJWT;
import dev.hmacd.client.ErrorReason;
import dev.hmacd.client.FakeMacService;
import dev.hmacd.client.HmacdClient;
import dev.hmacd.client.HmacdException;
import dev.hmacd.client.HmacdKey;
import dev.hmacd.client.InvalidMacException;
import dev.hmacd.client.MacAlgorithm;
import dev.hmacd.client.MessageTooLongException;
import io.grpc.Status.Code;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.Date;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(240)
class HmacdJwtTest {
  private static final JwtVectors VECTORS = JwtVectors.read();
  private static final byte[] SECRET = "s".repeat(64).getBytes(UTF_8);
  private static final JWTClaimsSet CLAIMS =
      new JWTClaimsSet.Builder()
          .subject("4711")
          .expirationTime(Date.from(Instant.ofEpochSecond(4_000_000_000L)))
          .build();

  private final FakeMacService daemon;
  private final HmacdClient client;

  HmacdJwtTest(@TempDir Path folder) {
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
  void signedTokenIsRightForNimbus(MacAlgorithm algorithm) throws Exception {
    SignedJWT token = SignedJWT.parse(HmacdJwt.sign(key(algorithm), "k1", CLAIMS));
    assertThat(token.verify(new MACVerifier(SECRET))).isTrue();
    assertThat(token.getJWTClaimsSet()).isEqualTo(CLAIMS);
    assertThat(token.getHeader().toJSONObject())
        .isEqualTo(Map.of("alg", JwsAlgorithms.of(algorithm).getName(), "kid", "k1", "typ", "JWT"));
  }

  @ParameterizedTest
  @EnumSource(
      mode = EnumSource.Mode.EXCLUDE,
      names = {"HMAC_SHA_224", "UNKNOWN"})
  void tokenOfNimbusIsVerified(MacAlgorithm algorithm) throws Exception {
    HmacdKey key = key(algorithm);
    assertThat(HmacdJwt.verify(Map.of("k1", key), token(algorithm, SECRET, CLAIMS)))
        .isEqualTo(CLAIMS);
    assertThat(HmacdJwt.verify(Map.of("k1", key), HmacdJwt.sign(key, "k1", CLAIMS)))
        .isEqualTo(CLAIMS);
    String other = token(algorithm, "o".repeat(64).getBytes(UTF_8), CLAIMS);
    assertRefused(() -> HmacdJwt.verify(Map.of("k1", key), other));
    assertThat(daemon.calls()).isEqualTo(4);
  }

  @ParameterizedTest
  @MethodSource
  void rightVectorIsVerified(JwtVectors.Token vector) {
    assertThat(HmacdJwt.verify(Map.of("k1", vectorKey(vector)), vector.text())).isEqualTo(CLAIMS);
  }

  static Stream<JwtVectors.Token> rightVectorIsVerified() {
    return Stream.concat(VECTORS.right().stream(), VECTORS.accepted().stream());
  }

  @ParameterizedTest
  @MethodSource
  void wrongVectorIsRefused(JwtVectors.Token vector) {
    HmacdKey key = vectorKey(vector);
    assertRefused(() -> HmacdJwt.verify(Map.of("k1", key), vector.text()));
    assertThat(daemon.calls()).isEqualTo(vector.why().equals("another key") ? 1 : 0);
  }

  static List<JwtVectors.Token> wrongVectorIsRefused() {
    return VECTORS.wrong();
  }

  @ParameterizedTest
  @ValueSource(strings = {"", ".", "..", "a.b.c", "a.b.c.d.e", "hello", "\n"})
  void malformedTextIsRefusedWithoutACall(String text) {
    HmacdKey key = key(MacAlgorithm.HMAC_SHA_256);
    assertRefused(() -> HmacdJwt.verify(Map.of("k1", key), text));
    assertRefused(() -> HmacdJwt.verify(Map.of("k1", key), new PlainJWT(CLAIMS).serialize()));
    assertThat(daemon.calls()).isZero();
  }

  @Test
  void timesOfTheClaimsHaveAToleranceOfAMinute() {
    Instant now = Instant.now();
    HmacdKey key = key(MacAlgorithm.HMAC_SHA_256);
    for (JWTClaimsSet refused :
        List.of(
            new JWTClaimsSet.Builder().expirationTime(Date.from(now.minusSeconds(100))).build(),
            new JWTClaimsSet.Builder().notBeforeTime(Date.from(now.plusSeconds(10_000))).build())) {
      String token = HmacdJwt.sign(key, "k1", refused);
      assertRefused(() -> HmacdJwt.verify(Map.of("k1", key), token));
    }
    for (JWTClaimsSet accepted :
        List.of(
            new JWTClaimsSet.Builder().build(),
            new JWTClaimsSet.Builder().notBeforeTime(Date.from(now.plusSeconds(30))).build())) {
      HmacdJwt.verify(Map.of("k1", key), HmacdJwt.sign(key, "k1", accepted));
    }
  }

  @Test
  void failedCallIsNoVerdict() throws Exception {
    HmacdKey key = key(MacAlgorithm.HMAC_SHA_256);
    String token = token(MacAlgorithm.HMAC_SHA_256, SECRET, CLAIMS);
    daemon.failing(Code.PERMISSION_DENIED, "ACCESS_DENIED");
    assertThatExceptionOfType(HmacdException.class)
        .isThrownBy(() -> HmacdJwt.verify(Map.of("k1", key), token))
        .returns(ErrorReason.ACCESS_DENIED, HmacdException::reason);
    daemon.failing(Code.PERMISSION_DENIED, "ACCESS_DENIED");
    assertThatExceptionOfType(HmacdException.class)
        .isThrownBy(() -> HmacdJwt.sign(key, "k1", CLAIMS))
        .returns(ErrorReason.ACCESS_DENIED, HmacdException::reason);
    var claims = new JWTClaimsSet.Builder().claim("x", "x".repeat(65_536)).build();
    String tooLong = token(MacAlgorithm.HMAC_SHA_256, SECRET, claims);
    assertThatExceptionOfType(MessageTooLongException.class)
        .isThrownBy(() -> HmacdJwt.verify(Map.of("k1", key), tooLong));
  }

  @Test
  void keyWithoutANameInJwsIsRefused() {
    HmacdKey key = client.key("alias/tokens", MacAlgorithm.HMAC_SHA_224);
    assertThatIllegalArgumentException().isThrownBy(() -> HmacdJwt.sign(key, "k1", CLAIMS));
    assertThatIllegalArgumentException()
        .isThrownBy(() -> HmacdJwt.verify(Map.of("k1", key), "a.b.c"));
  }

  private static void assertRefused(ThrowingCallable call) {
    assertThatExceptionOfType(InvalidMacException.class)
        .isThrownBy(call)
        .satisfies(e -> assertThat(e).hasMessageStartingWith("KMS_INVALID_MAC: "));
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

  /// A token of Nimbus with `kid` k1.
  private static String token(MacAlgorithm algorithm, byte[] secret, JWTClaimsSet claims)
      throws Exception {
    var header =
        new JWSHeader.Builder(JwsAlgorithms.of(algorithm))
            .type(JOSEObjectType.JWT)
            .keyID("k1")
            .build();
    var token = new SignedJWT(header, claims);
    token.sign(new MACSigner(secret));
    return token.serialize();
  }
}

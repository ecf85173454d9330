package dev.hmacd.jca;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import dev.hmacd.client.ErrorReason;
import dev.hmacd.client.FakeMacService;
import dev.hmacd.client.HmacdClient;
import dev.hmacd.client.HmacdException;
import dev.hmacd.client.MacAlgorithm;
import io.grpc.Status.Code;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.NotSerializableException;
import java.io.ObjectOutputStream;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.InvalidAlgorithmParameterException;
import java.security.InvalidKeyException;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.security.Provider;
import java.security.Security;
import java.time.Duration;
import java.util.Arrays;
import java.util.ServiceLoader;
import java.util.stream.Stream;
import javax.crypto.Mac;
import javax.crypto.spec.IvParameterSpec;
import javax.crypto.spec.SecretKeySpec;
import org.assertj.core.api.ThrowingConsumer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

@Timeout(240)
class HmacdProviderTest {
  private static final byte[] MESSAGE = "hello".getBytes(UTF_8);
  private static final byte[] SECRET = "a secret of the test".getBytes(UTF_8);
  private static final int MAX_MESSAGE_BYTES = 1000;

  private final Provider provider = new HmacdProvider();
  private final FakeMacService daemon;
  private final HmacdClient client;
  private final HmacdSecretKey key;

  HmacdProviderTest(@TempDir Path folder) {
    daemon =
        new FakeMacService(folder.resolve("hmacd.sock"))
            .key("alias/orders", MacAlgorithm.HMAC_SHA_256, SECRET);
    client =
        HmacdClient.builder()
            .target(daemon.target())
            .deadlineAfter(Duration.ofMinutes(2))
            .maxMessageBytes(MAX_MESSAGE_BYTES)
            .build();
    key = new HmacdSecretKey(client.key("alias/orders", MacAlgorithm.HMAC_SHA_256));
  }

  @AfterEach
  void close() {
    Security.removeProvider(provider.getName());
    client.close();
    daemon.close();
  }

  @ParameterizedTest
  @EnumSource
  void macsOfWycheproofAreThoseOfTheJdk(HmacName name) throws GeneralSecurityException {
    MacAlgorithm algorithm = MacAlgorithm.valueOf("HMAC_" + name.name());
    Mac mac = Mac.getInstance(name.toString(), provider);
    for (MacVector vector : MacVector.read(name)) {
      daemon.key(vector.key(), algorithm, vector.secret());
      mac.init(new HmacdSecretKey(client.key(vector.key(), algorithm)));
      if (vector.message().length == 0) {
        assertThatExceptionOfType(HmacdMacException.class).isThrownBy(mac::doFinal);
        continue;
      }
      byte[] tag = mac.doFinal(vector.message());
      assertThat(tag).isEqualTo(jdkMac(name.toString(), vector.secret(), vector.message()));
      assertThat(MessageDigest.isEqual(Arrays.copyOf(tag, vector.mac().length), vector.mac()))
          .as(vector.key())
          .isEqualTo(vector.valid());
    }
  }

  @ParameterizedTest
  @EnumSource
  void lengthOfAMacIsThatOfTheJdk(HmacName name) throws GeneralSecurityException {
    assertThat(Mac.getInstance(name.toString(), provider).getMacLength())
        .isEqualTo(jdkMac(name.toString(), SECRET, MESSAGE).length);
  }

  @Test
  void lastProviderIsSelectedForAKeyOfHmacd() throws GeneralSecurityException {
    Security.addProvider(provider);
    Mac mac = Mac.getInstance("HmacSHA256");
    mac.init(key);
    assertThat(mac.getProvider()).isSameAs(provider);
    assertThat(mac.doFinal(MESSAGE)).isEqualTo(jdkMac("HmacSHA256", SECRET, MESSAGE));
    assertThat(daemon.calls()).isEqualTo(1);
  }

  @Test
  void firstProviderIsNotSelectedForAnotherKey() throws GeneralSecurityException {
    byte[] expected = jdkMac("HmacSHA256", SECRET, MESSAGE);
    Security.insertProviderAt(provider, 1);
    Mac mac = Mac.getInstance("HmacSHA256");
    mac.init(new SecretKeySpec(SECRET, "HmacSHA256"));
    assertThat(mac.getProvider()).isNotSameAs(provider);
    assertThat(mac.doFinal(MESSAGE)).isEqualTo(expected);
    assertThat(daemon.calls()).isZero();
  }

  @Test
  void otherAlgorithmsHaveNoProviderForAKeyOfHmacd() throws GeneralSecurityException {
    Security.addProvider(provider);
    Mac md5 = Mac.getInstance("HmacMD5");
    assertThatExceptionOfType(InvalidKeyException.class).isThrownBy(() -> md5.init(key));
    Mac sha512 = Mac.getInstance("HmacSHA512");
    assertThatExceptionOfType(InvalidKeyException.class).isThrownBy(() -> sha512.init(key));
    assertThatExceptionOfType(NoSuchAlgorithmException.class)
        .isThrownBy(() -> Mac.getInstance("HmacMD5", provider));
  }

  @Test
  void wrongKeyAndParametersAreRefused() throws GeneralSecurityException {
    Mac mac = Mac.getInstance("HmacSHA256", provider);
    HmacdSecretKey sha512 =
        new HmacdSecretKey(client.key("alias/orders", MacAlgorithm.HMAC_SHA_512));
    assertThatExceptionOfType(InvalidKeyException.class)
        .isThrownBy(() -> mac.init(new SecretKeySpec(SECRET, "HmacSHA256")))
        .withMessage("the key is not an HmacdSecretKey");
    assertThatExceptionOfType(InvalidKeyException.class).isThrownBy(() -> mac.init(null));
    assertThatExceptionOfType(InvalidKeyException.class)
        .isThrownBy(() -> mac.init(sha512))
        .withMessage("the key is for HmacSHA512, not for HmacSHA256");
    assertThatExceptionOfType(InvalidAlgorithmParameterException.class)
        .isThrownBy(() -> mac.init(key, new IvParameterSpec(new byte[16])));
    assertThatExceptionOfType(IllegalStateException.class).isThrownBy(() -> mac.doFinal(MESSAGE));
    assertThat(daemon.calls()).isZero();
  }

  @Test
  void messageInPiecesHasOneMac() throws GeneralSecurityException {
    Mac mac = mac();
    mac.update(MESSAGE[0]);
    mac.update(MESSAGE, 1, 2);
    mac.update(ByteBuffer.allocateDirect(2).put(MESSAGE, 3, 2).flip());
    assertThat(mac.doFinal()).isEqualTo(jdkMac("HmacSHA256", SECRET, MESSAGE));
    assertThat(mac.doFinal(MESSAGE)).isEqualTo(jdkMac("HmacSHA256", SECRET, MESSAGE));
    assertThat(daemon.calls()).isEqualTo(2);
  }

  @Test
  void resetAndInitStartANewMessage() throws GeneralSecurityException {
    Mac mac = mac();
    mac.update(MESSAGE);
    mac.reset();
    assertThat(mac.doFinal(MESSAGE)).isEqualTo(jdkMac("HmacSHA256", SECRET, MESSAGE));
    mac.update(MESSAGE);
    mac.init(key);
    assertThat(mac.doFinal(MESSAGE)).isEqualTo(jdkMac("HmacSHA256", SECRET, MESSAGE));
  }

  @Test
  void outageIsAnExceptionAndTheNextMessageIsNew() throws GeneralSecurityException {
    Mac mac = mac();
    daemon.failing(Code.PERMISSION_DENIED, "ACCESS_DENIED");
    assertThatExceptionOfType(HmacdMacException.class)
        .isThrownBy(() -> mac.doFinal(MESSAGE))
        .satisfies(e -> assertCause(e, ErrorReason.ACCESS_DENIED));
    assertThat(mac.doFinal(MESSAGE)).isEqualTo(jdkMac("HmacSHA256", SECRET, MESSAGE));
  }

  @Test
  void emptyMessageIsRefused() throws GeneralSecurityException {
    Mac mac = mac();
    assertThatExceptionOfType(HmacdMacException.class)
        .isThrownBy(mac::doFinal)
        .satisfies(e -> assertCause(e, ErrorReason.INVALID_ARGUMENT));
    assertThat(daemon.calls()).isZero();
  }

  @Test
  void longestMessageHasAMac() throws GeneralSecurityException {
    byte[] longest = new byte[MAX_MESSAGE_BYTES];
    Mac mac = mac();
    mac.update(longest, 0, 400);
    mac.update(longest, 400, 600);
    assertThat(mac.doFinal()).isEqualTo(jdkMac("HmacSHA256", SECRET, longest));
  }

  static Stream<Arguments> tooLongMessages() {
    byte[] limit = new byte[MAX_MESSAGE_BYTES];
    byte[] more = new byte[MAX_MESSAGE_BYTES + 1];
    return Stream.of(
        tooLong("doFinal of a message", 1001, mac -> mac.doFinal(more)),
        tooLong(
            "update",
            1001,
            mac -> {
              mac.update(more);
              mac.doFinal();
            }),
        tooLong(
            "update of a byte",
            1001,
            mac -> {
              mac.update(limit);
              mac.update((byte) 0);
              mac.doFinal();
            }),
        tooLong(
            "update, and doFinal of a message",
            1005,
            mac -> {
              mac.update(limit);
              mac.doFinal(MESSAGE);
            }),
        tooLong(
            "update after the limit",
            1010,
            mac -> {
              mac.update(limit);
              mac.update(MESSAGE);
              mac.update(MESSAGE);
              mac.doFinal();
            }),
        tooLong(
            "direct buffer",
            20_000,
            mac -> {
              ByteBuffer buffer = ByteBuffer.allocateDirect(20_000);
              mac.update(buffer);
              assertThat(buffer.hasRemaining()).isFalse();
              mac.doFinal();
            }),
        tooLong(
            "buffer, and doFinal into an array",
            1001,
            mac -> {
              mac.update(ByteBuffer.wrap(more));
              mac.doFinal(new byte[32], 0);
            }));
  }

  private static Arguments tooLong(String name, int bytes, ThrowingConsumer<Mac> use) {
    return Arguments.of(name, bytes, use);
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("tooLongMessages")
  void tooLongMessageHasNoMacAndTheNextMessageIsNew(
      String name, int bytes, ThrowingConsumer<Mac> use) throws GeneralSecurityException {
    Mac mac = mac();
    for (int i = 0; i < 2; i++) {
      assertThatExceptionOfType(HmacdMacException.class)
          .isThrownBy(() -> use.accept(mac))
          .withMessage("the message has " + bytes + " bytes, the limit of the client is 1000")
          .withNoCause();
      assertThat(daemon.calls()).isEqualTo(i);
      assertThat(mac.doFinal(MESSAGE)).isEqualTo(jdkMac("HmacSHA256", SECRET, MESSAGE));
    }
  }

  @Test
  void cloneIsNotSupported() throws GeneralSecurityException {
    Mac mac = mac();
    assertThatExceptionOfType(CloneNotSupportedException.class).isThrownBy(mac::clone);
  }

  @Test
  void keyHasNoSecretAndIsNotSerializable() throws IOException {
    assertThat(key.getEncoded()).isNull();
    assertThat(key.getFormat()).isNull();
    assertThat(key.getAlgorithm()).isEqualTo("HmacSHA256");
    assertThat(key).hasToString("HmacdSecretKey[HmacSHA256]");
    assertThat(key).isNotEqualTo(new HmacdSecretKey(key.hmacdKey()));
    try (var stream = new ObjectOutputStream(new ByteArrayOutputStream())) {
      assertThatExceptionOfType(NotSerializableException.class)
          .isThrownBy(() -> stream.writeObject(key));
    }
  }

  @Test
  void serviceLoaderFindsTheProvider() {
    assertThat(ServiceLoader.load(Provider.class)).extracting(Provider::getName).contains("Hmacd");
  }

  private Mac mac() throws GeneralSecurityException {
    Mac mac = Mac.getInstance("HmacSHA256", provider);
    mac.init(key);
    return mac;
  }

  private static void assertCause(HmacdMacException e, ErrorReason reason) {
    assertThat(e.getCause())
        .isInstanceOfSatisfying(
            HmacdException.class, cause -> assertThat(cause.reason()).isEqualTo(reason));
  }

  private static byte[] jdkMac(String algorithm, byte[] secret, byte[] message)
      throws GeneralSecurityException {
    Mac mac = Mac.getInstance(algorithm, "SunJCE");
    mac.init(new SecretKeySpec(secret, algorithm));
    return mac.doFinal(message);
  }
}

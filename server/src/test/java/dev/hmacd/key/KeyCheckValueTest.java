package dev.hmacd.key;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HexFormat;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// Check values are stored as long as their keys, so their messages never change.
final class KeyCheckValueTest {
  private static final KeyId ID = new KeyId("1234abcd-12ab-34cd-56ef-1234567890ab");

  @Test
  void messageHasPrefixZeroByteKeyIdAndVersion() {
    assertThat(KeyCheckValue.message(ID, 1))
        .asHexString()
        .isEqualToIgnoringCase(
            "686d61636420636865636b2076616c7565207631" // hmacd check value v1
                + "00"
                + "31323334616263642d313261622d333463642d353665662d313233343536373839306162"
                + "31");
    assertThat(KeyCheckValue.message(ID, 1)).hasSize(20 + 1 + 36 + 1);
  }

  /// Computed with OpenSSL for a key of the bytes 0 to 31:
  ///
  /// ```sh
  /// printf 'hmacd check value v1\0%s%d' 1234abcd-12ab-34cd-56ef-1234567890ab 1 |
  ///   openssl dgst -sha256 -mac HMAC -macopt \
  ///     hexkey:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f
  /// ```
  @ParameterizedTest(name = "version {0}")
  @CsvSource({
    "1, 6ac6bf2e5005322fd264c950007fa6ab82a0bf644bd31fb6e6ed2e7a5ce1eccd",
    "2, a131a7b8f70795037aa97af045712c323758d35e2e1afc1737b434912fa8ddd3",
    "10, 87e88859cc68837eaaa50d1d6d8acc17a9810cd1fa128dc5075c4be19940eb48",
  })
  void checkValueEqualsThatOfOpenSsl(int version, String checkValue) throws Exception {
    byte[] key = new byte[32];
    for (int i = 0; i < key.length; i++) {
      key[i] = (byte) i;
    }
    Mac mac = Mac.getInstance("HmacSHA256", "SunJCE");
    mac.init(new SecretKeySpec(key, "HmacSHA256"));
    byte[] computed = mac.doFinal(KeyCheckValue.message(ID, version));
    assertThat(HexFormat.of().formatHex(computed)).isEqualTo(checkValue);
    KeyCheckValue check =
        KeyCheckValue.of(
            ID, version, MacAlgorithm.HMAC_SHA_256, HexFormat.of().parseHex(checkValue));
    assertThat(check.isAnsweredBy(computed)).isTrue();
    computed[31] ^= 1;
    assertThat(check.isAnsweredBy(computed)).isFalse();
    assertThat(check.isAnsweredBy(Arrays.copyOf(computed, 16))).isFalse();
    assertThat(check.toString()).doesNotContain(checkValue);
  }

  @ParameterizedTest(name = "{0}: {1}")
  @CsvSource({
    "hmacd check value v1|, true",
    "hmacd check value v1|and more, true",
    "hmacd check value v1, false",
    "hmacd check value v1 in a text, false",
    "hmacd check value v10|, false",
    "hmacd check value v2|, false",
    "Hmacd check value v1|, false",
    "|hmacd check value v1|, false",
    "hmacd, false",
  })
  void messageWithThePrefixAndItsZeroByteIsReserved(String text, boolean reserved) {
    byte[] message = text.replace('|', '\0').getBytes(StandardCharsets.US_ASCII);
    assertThat(KeyCheckValue.isReserved(message)).isEqualTo(reserved);
  }

  @Test
  void everyCheckMessageIsReserved() {
    for (int version : new int[] {1, 2, 9, 10, Integer.MAX_VALUE}) {
      assertThat(KeyCheckValue.isReserved(KeyCheckValue.message(KeyId.random(), version))).isTrue();
    }
  }
}

package dev.hmacd.token;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.util.OptionalLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// Labels and serial numbers of tokens are UTF-8, padded on the right.
final class TokenSelectorTest {
  /// Decodes the bytes of a token as the JDK's wrapper does.
  private static TokenInfo info(String label, String serial) {
    return new TokenInfo(
        CkStrings.text(chars(label)), CkStrings.text(chars(serial)), "", "", OptionalLong.empty());
  }

  private static char[] chars(String text) {
    String unescaped = text.replace("0", "\0");
    return new String(unescaped.getBytes(StandardCharsets.UTF_8), StandardCharsets.ISO_8859_1)
        .toCharArray();
  }

  @Test
  void selectorIsPrintedAsConfigured() {
    assertThat(new TokenSelector.ByLabel("hmacd test ")).hasToString("label \"hmacd test\"");
    assertThat(new TokenSelector.BySerial("01")).hasToString("serial \"01\"");
  }

  /// In the labels of tokens, a 0 stands for NUL.
  @ParameterizedTest(name = "{0} matches {1}: {2}")
  @CsvSource(
      ignoreLeadingAndTrailingWhitespace = false,
      value = {
        "hmacd,hmacd,true",
        "hmacd   ,hmacd,true",
        "hmacd000,hmacd,true",
        "hmacd0  ,hmacd,true",
        "hmacd,hmacd  ,true",
        "schlüssel 鍵 ,schlüssel 鍵,true",
        " hmacd , hmacd,true",
        " hmacd ,hmacd,false",
        "hmacd , hmacd,false",
        "0hmacd,hmacd,false",
        "hm acd,hmacd,false",
        "hmacd ,HMACD,false",
        "schlussel,schlüssel,false",
      })
  void labelAndSerialMatchWithoutPadding(String label, String configured, boolean fits) {
    assertThat(new TokenSelector.ByLabel(configured).fits(info(label, "1"))).isEqualTo(fits);
    assertThat(new TokenSelector.BySerial(configured).fits(info("l", label))).isEqualTo(fits);
  }
}

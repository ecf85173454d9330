package dev.hmacd.ctl;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SuggestionTest {
  private static final List<String> KNOWN =
      List.of("generate-mac", "verify-mac", "list-keys", "--ca", "--key", "--key-id", "Mac");

  @ParameterizedTest(name = "{0} stands for {1}")
  @CsvSource({
    "generate-mca, generate-mac",
    "genrate-mac, generate-mac",
    "generatemac, generate-mac",
    "verify-macs, verify-mac",
    "list-kyes, list-keys",
    "LIST-KEYS, list-keys",
    "--keyid, --key-id",
    "--kye-id, --key-id",
    "--ky, --key",
    "mac, Mac",
    "sign, ''",
    "describe-mac, ''",
    "--x, ''",
    "--no, ''",
    "'', ''"
  })
  void nearestNameIsFound(String given, String expected) {
    assertThat(Suggestion.nearest(given, KNOWN).orElse("")).isEqualTo(expected);
    assertThat(Suggestion.hint(given, KNOWN))
        .isEqualTo(expected.isEmpty() ? "" : "Did you mean '" + expected + "'?");
  }
}

package dev.hmacd.token;

import static org.assertj.core.api.Assertions.assertThat;

import dev.hmacd.key.KeyAttributes.Unfit;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Usage attributes of a key, known and unknown.
final class KeyUseTest {
  private static final long GENERIC_SECRET = 0x10;
  private static final Map<String, Boolean> MACS_ALONE =
      Map.of("CKA_PRIVATE", true, "CKA_DERIVE", false);

  private static KeyUse with(String flag, @Nullable Boolean value) {
    Map<String, Boolean> flags = new HashMap<>(MACS_ALONE);
    if (value == null) {
      flags.remove(flag);
    } else {
      flags.put(flag, value);
    }
    return new KeyUse(flags, GENERIC_SECRET);
  }

  @Test
  void keyForMacsOnlyIsAccepted() {
    assertThat(new KeyUse(MACS_ALONE, GENERIC_SECRET).unfit()).isEmpty();
  }

  @Test
  void unknownPrivateIsRefusedAndUnknownDeriveAccepted() {
    assertThat(with("CKA_PRIVATE", null).unfit())
        .hasValueSatisfying(
            unfit -> {
              assertThat(unfit.attribute()).isEqualTo("CKA_PRIVATE");
              assertThat(unfit.found()).isEqualTo("unknown");
            });
    assertThat(with("CKA_DERIVE", null).unfit()).isEmpty();
  }

  @ParameterizedTest
  @ValueSource(strings = {"CKA_PRIVATE", "CKA_DERIVE"})
  void flagWithTheWrongValueIsRefused(String flag) {
    assertThat(with(flag, Boolean.FALSE.equals(MACS_ALONE.get(flag))).unfit())
        .map(Unfit::attribute)
        .contains(flag);
  }

  @Test
  void unknownTypeIsRefused() {
    assertThat(new KeyUse(MACS_ALONE, null).unfit())
        .hasValueSatisfying(
            unfit -> {
              assertThat(unfit.attribute()).isEqualTo("CKA_KEY_TYPE");
              assertThat(unfit.found()).isEqualTo("unknown");
            });
  }

  /// The other usage attributes are harmless for a key type without a cipher.
  @ParameterizedTest
  @ValueSource(strings = {"CKA_ENCRYPT", "CKA_DECRYPT", "CKA_WRAP", "CKA_UNWRAP"})
  void useWithoutAMechanismForTheTypeIsAccepted(String flag) {
    assertThat(with(flag, true).unfit()).isEmpty();
    assertThat(with(flag, null).unfit()).isEmpty();
  }
}

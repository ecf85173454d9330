package dev.hmacd.token;

import static org.assertj.core.api.Assertions.assertThat;

import dev.hmacd.key.KeyAttributes.Unfit;
import dev.hmacd.key.MacAlgorithm;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
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

  /// A token could accept an HMAC key of one hash for another.
  @ParameterizedTest
  @EnumSource
  void hmacKeyIsForItsOwnHashOnly(MacAlgorithm algorithm) {
    var key = new KeyUse(MACS_ALONE, MacKeyType.hmacKeyType(algorithm));
    assertThat(key.unfit()).isEmpty();
    for (MacAlgorithm other : MacAlgorithm.values()) {
      if (other == algorithm) {
        assertThat(key.unfit(other)).isEmpty();
      } else {
        assertThat(key.unfit(other))
            .hasValueSatisfying(
                unfit ->
                    assertThat(unfit.text())
                        .startsWith("CKA_KEY_TYPE is " + key.typeName() + " and must be CKK_")
                        .endsWith("_HMAC"));
      }
    }
    assertThat(new KeyUse(MACS_ALONE, GENERIC_SECRET).unfit(algorithm)).isEmpty();
    assertThat(new KeyUse(MACS_ALONE, CkConstants.CKK_AES).unfit(algorithm))
        .map(Unfit::found)
        .contains("CKK_AES");
  }

  /// The other usage attributes are harmless for a key type without a cipher.
  @ParameterizedTest
  @ValueSource(strings = {"CKA_ENCRYPT", "CKA_DECRYPT", "CKA_WRAP", "CKA_UNWRAP"})
  void useWithoutAMechanismForTheTypeIsAccepted(String flag) {
    assertThat(with(flag, true).unfit()).isEmpty();
    assertThat(with(flag, null).unfit()).isEmpty();
  }
}

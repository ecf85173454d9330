package dev.hmacd.token;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.hmacd.key.KeyObject;
import dev.hmacd.key.MacAlgorithm;
import dev.hmacd.testing.FaultModule;
import dev.hmacd.testing.SoftHsm;
import dev.hmacd.token.TokenSession.Query;
import java.util.Arrays;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/// The type of new keys. SoftHSM2 generates generic secrets, and no HMAC keys. `scripts/tokens`
/// runs the contract tests on tokens that generate HMAC keys.
final class KeyTypeTest {
  private final SoftHsm hsm = SoftHsm.shared();
  private final FaultModule module = FaultModule.inFrontOf(hsm);
  private final KeyObject name = new KeyObject(SoftHsm.freshLabel("type"), SoftHsm.freshId());

  private Pkcs11Token token(KeyTypeSetting setting) throws TokenException {
    return Pkcs11Token.find(
        module.file(),
        new TokenSelector.ByLabel(hsm.label()),
        new PinFile(hsm.pinFile()),
        new Pkcs11Token.Use(false, false, setting));
  }

  private void assertGenericSecret(TokenSession session) throws TokenException {
    assertThat(session.find(new Query.ByBoth(name)))
        .singleElement()
        .satisfies(
            found -> assertThat(found.use().keyType()).isEqualTo(CkConstants.CKK_GENERIC_SECRET));
  }

  private void assertNotGenerated(TokenSession session) throws TokenException {
    assertThatThrownBy(() -> session.generate(name, 32)).isInstanceOf(TokenException.class);
    assertThat(session.find(new Query.ByBoth(name))).isEmpty();
  }

  @Test
  void oneMacShowsThatTheTokenAcceptsGenericSecrets() throws TokenException {
    Pkcs11Token token = token(KeyTypeSetting.AUTO);
    try (TokenSession session = token.open()) {
      session.generate(name, 32);
      assertGenericSecret(session);
      assertThat(token.keyType()).isEqualTo(KeyTypeSetting.GENERIC);
      assertThat(module.count("C_Sign")).isEqualTo(1);
      session.generate(new KeyObject(SoftHsm.freshLabel("type"), SoftHsm.freshId()), 64);
      assertThat(module.count("C_Sign")).isEqualTo(1);
    }
  }

  /// A refusal that occurs once decides nothing, because the token refuses HMAC keys, too.
  @ParameterizedTest
  @ValueSource(strings = {"CKR_MECHANISM_INVALID", "CKR_KEY_TYPE_INCONSISTENT", "0x13", "0xd1"})
  void refusedGenericSecretIsTriedAsAnHmacKey(String code) throws TokenException {
    Pkcs11Token token = token(KeyTypeSetting.AUTO);
    try (TokenSession session = token.open()) {
      module.send("fail C_GenerateKey 1 " + code);
      assertNotGenerated(session);
      assertThat(module.count("C_GenerateKey")).isEqualTo(2);
      assertThat(token.keyType()).isEqualTo(KeyTypeSetting.AUTO);
      session.generate(name, 32);
      assertGenericSecret(session);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"CKR_DEVICE_ERROR", "CKR_SESSION_HANDLE_INVALID", "0x80000123"})
  void otherFailureIsNotTriedAsAnHmacKey(String code) throws TokenException {
    Pkcs11Token token = token(KeyTypeSetting.AUTO);
    try (TokenSession session = token.open()) {
      module.send("fail C_GenerateKey 1 " + code);
      assertNotGenerated(session);
      assertThat(module.count("C_GenerateKey")).isEqualTo(1);
    }
  }

  /// As on nShield, which generates generic secrets and computes no HMAC under them.
  @ParameterizedTest
  @ValueSource(
      strings = {
        "CKR_KEY_TYPE_INCONSISTENT",
        "CKR_KEY_FUNCTION_NOT_PERMITTED",
        "CKR_MECHANISM_INVALID"
      })
  void genericSecretWithoutAMacIsDestroyedAndTriedAsAnHmacKey(String code) throws TokenException {
    Pkcs11Token token = token(KeyTypeSetting.AUTO);
    try (TokenSession session = token.open()) {
      module.send("fail C_SignInit 1 " + code);
      assertNotGenerated(session);
      assertThat(module.count("C_GenerateKey")).isEqualTo(2);
      assertThat(module.count("C_DestroyObject")).isEqualTo(1);
      assertThat(token.keyType()).isEqualTo(KeyTypeSetting.AUTO);
    }
  }

  /// A refusal can be temporary, so each login forgets it.
  @Test
  void refusalOfGenericSecretsIsForgottenAtTheNextLogin() throws TokenException {
    Pkcs11Token token = token(KeyTypeSetting.AUTO);
    try (TokenSession _ = token.open()) {
      assertThat(token.newKeyType().detected(KeyTypeSetting.HMAC)).isTrue();
      try (TokenSession _ = token.open()) {
        assertThat(token.keyType()).isEqualTo(KeyTypeSetting.HMAC);
      }
      module.send("logout");
      try (TokenSession session = token.open()) {
        assertThat(token.keyType()).isEqualTo(KeyTypeSetting.AUTO);
        session.generate(name, 32);
        assertGenericSecret(session);
      }
    }
  }

  @Test
  void acceptedTypeAndConfiguredTypeSurviveALogin() {
    var accepted = new NewKeyType(KeyTypeSetting.AUTO);
    assertThat(accepted.detected(KeyTypeSetting.GENERIC)).isTrue();
    assertThat(accepted.detected(KeyTypeSetting.HMAC)).isFalse();
    accepted.loggedIn();
    assertThat(accepted.get()).isEqualTo(KeyTypeSetting.GENERIC);
    for (KeyTypeSetting setting : KeyTypeSetting.values()) {
      var configured = new NewKeyType(setting);
      configured.loggedIn();
      assertThat(configured.get()).isEqualTo(setting);
    }
  }

  @Test
  void configuredGenericSecretIsNotTested() throws TokenException {
    try (TokenSession session = token(KeyTypeSetting.GENERIC).open()) {
      module.send("fail C_GenerateKey 1 0xd1");
      assertNotGenerated(session);
      assertThat(module.count("C_GenerateKey")).isEqualTo(1);
      session.generate(name, 32);
      assertGenericSecret(session);
      assertThat(module.count("C_Sign")).isZero();
    }
  }

  @Test
  void configuredHmacKeyIsNeverAGenericSecret() throws TokenException {
    try (TokenSession session = token(KeyTypeSetting.HMAC).open()) {
      assertNotGenerated(session);
      assertThat(module.count("C_GenerateKey")).isEqualTo(1);
    }
  }

  @Test
  void hmacKeyHasTheLengthOfAHash() throws TokenException {
    try (TokenSession session = token(KeyTypeSetting.HMAC).open()) {
      assertThatThrownBy(() -> session.generate(name, 33))
          .isInstanceOfSatisfying(
              TokenException.class,
              e -> assertThat(e.kind()).isEqualTo(TokenException.Kind.UNSUPPORTED));
      assertThat(module.count("C_GenerateKey")).isZero();
    }
  }

  @ParameterizedTest
  @EnumSource
  void mechanismOfPkcs11IsPreferredToTheVendors(MacAlgorithm algorithm) {
    long generic = CkConstants.CKM_GENERIC_SECRET_KEY_GEN;
    Set<Long> standard = Set.of(0x4004L, 0x4005L, 0x4006L, 0x4007L);
    Set<Long> nShield = Set.of(0xde436996L, 0xde436997L, 0xde436998L, 0xde436999L);
    MacKeyType none = MacKeyType.hmac(algorithm, Set.of(generic));
    assertThat(none.mechanism()).isEqualTo(generic);
    MacKeyType vendor = MacKeyType.hmac(algorithm, nShield);
    assertThat(vendor.mechanism()).isIn(nShield);
    MacKeyType ofPkcs11 = MacKeyType.hmac(algorithm, standard);
    assertThat(ofPkcs11.mechanism()).isIn(standard);
    assertThat(none.keyType())
        .isEqualTo(vendor.keyType())
        .isEqualTo(ofPkcs11.keyType())
        .isNotEqualTo(CkConstants.CKK_GENERIC_SECRET);
  }

  @Test
  void eachAlgorithmHasItsOwnTypeAndMechanism() {
    Set<Long> standard = Set.of(0x4004L, 0x4005L, 0x4006L, 0x4007L);
    assertThat(
            Arrays.stream(MacAlgorithm.values())
                .map(algorithm -> MacKeyType.hmac(algorithm, standard)))
        .containsExactly(
            new MacKeyType(CkConstants.CKK_SHA224_HMAC, CkConstants.CKM_SHA224_KEY_GEN),
            new MacKeyType(CkConstants.CKK_SHA256_HMAC, CkConstants.CKM_SHA256_KEY_GEN),
            new MacKeyType(CkConstants.CKK_SHA384_HMAC, CkConstants.CKM_SHA384_KEY_GEN),
            new MacKeyType(CkConstants.CKK_SHA512_HMAC, CkConstants.CKM_SHA512_KEY_GEN));
  }
}

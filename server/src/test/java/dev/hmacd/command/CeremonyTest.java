package dev.hmacd.command;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.hmacd.StartException;
import dev.hmacd.key.ArnScope;
import dev.hmacd.key.DaemonKey;
import dev.hmacd.key.Key;
import dev.hmacd.key.KeyAttributes;
import dev.hmacd.key.KeyId;
import dev.hmacd.key.KeyObject;
import dev.hmacd.key.KeyOrigin;
import dev.hmacd.key.KeySpec;
import dev.hmacd.key.KeyState;
import dev.hmacd.key.KeyVersion;
import dev.hmacd.key.Placement;
import dev.hmacd.registry.DaemonKeyRegistry;
import dev.hmacd.registry.Registry;
import dev.hmacd.testing.FaultModule;
import dev.hmacd.testing.Lookups;
import dev.hmacd.testing.SoftHsm;
import dev.hmacd.token.PinFile;
import dev.hmacd.token.Pkcs11Modules;
import dev.hmacd.token.Pkcs11Token;
import dev.hmacd.token.TokenException;
import dev.hmacd.token.TokenSelector;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// `hmacd init` on two tokens.
final class CeremonyTest {
  private static final byte[] SECRET = new byte[32];
  private static final byte[] ANOTHER = "another secret than the first one".getBytes(UTF_8);

  @TempDir Path folder;
  private final SoftHsm one = SoftHsm.shared().another();
  private final SoftHsm other = SoftHsm.shared().another();
  private final String first = one.serial();
  private final String second = other.serial();
  private Registry registry;
  private DaemonKeyRegistry ownKeys;
  private Ceremony ceremony;

  @SuppressWarnings("NullAway.Init") // open() sets the fields.
  CeremonyTest() {}

  @BeforeEach
  void open() throws TokenException {
    registry =
        new Registry(
            folder.resolve("registry.db"),
            new ArnScope("aws", "eu-central-1", "123456789012"),
            Clock.systemUTC());
    ownKeys = registry.ownKeys();
    registry.open();
    ceremony = new Ceremony(ownKeys);
    var modules = new Pkcs11Modules();
    Path module = FaultModule.inFrontOf(one).file();
    for (SoftHsm token : List.of(one, other)) {
      ceremony.add(
          modules.find(
              module,
              Optional.empty(),
              new TokenSelector.BySerial(token.serial()),
              new PinFile(token.pinFile()),
              new Pkcs11Token.Use(true, false)));
    }
  }

  @AfterEach
  void close() {
    ceremony.close();
    registry.close();
  }

  private Optional<DaemonKey> known(String serial, DaemonKey.Purpose purpose) {
    return ownKeys.find(serial, purpose).join();
  }

  @Test
  void eachTokenGetsAProbeKeyAndTheFirstTheKeyForAccessKeys()
      throws TokenException, StartException {
    assertThat(ceremony.makeOwnKeys()).isTrue();
    assertThat(known(first, DaemonKey.Purpose.PROBE)).isPresent();
    assertThat(known(second, DaemonKey.Purpose.PROBE)).isPresent();
    assertThat(known(second, DaemonKey.Purpose.PROBE))
        .isNotEqualTo(known(first, DaemonKey.Purpose.PROBE));
    assertThat(known(first, DaemonKey.Purpose.ACCESS_KEYS)).isPresent();
    assertThat(known(second, DaemonKey.Purpose.ACCESS_KEYS)).isEmpty();
    assertThat(other.list()).doesNotContain(DaemonKey.label(DaemonKey.Purpose.ACCESS_KEYS));
    assertThat(ceremony.makeOwnKeys()).isFalse();
  }

  @Test
  void copyOfTheKeyForAccessKeysIsRegisteredForTheOtherToken()
      throws TokenException, StartException {
    String id = SoftHsm.freshId();
    one.importKey(DaemonKey.label(DaemonKey.Purpose.ACCESS_KEYS), id, SECRET);
    other.importKey(DaemonKey.label(DaemonKey.Purpose.ACCESS_KEYS), id, SECRET);
    assertThat(ceremony.makeOwnKeys()).isTrue();
    assertThat(known(second, DaemonKey.Purpose.ACCESS_KEYS))
        .isEqualTo(known(first, DaemonKey.Purpose.ACCESS_KEYS))
        .isPresent();
    assertThat(ceremony.makeOwnKeys()).isFalse();
  }

  private Key key(SoftHsm... tokens) {
    KeyId id = KeyId.random();
    var object = new KeyObject(SoftHsm.freshLabel("key"), SoftHsm.freshId());
    for (SoftHsm token : tokens) {
      token.importKey(object.label(), object.idHex(), SECRET);
    }
    var attributes = new KeyAttributes(true, false, true, false, false, false, SECRET.length);
    return registry
        .writer()
        .insert(
            new Key(
                    id,
                    KeySpec.HMAC_256,
                    KeyState.CREATING,
                    KeyOrigin.ADOPTED,
                    Instant.EPOCH,
                    "",
                    null,
                    new KeyVersion(1, new Placement(object, List.of(first)), null, null),
                    Set.of())
                .enabled(attributes, null),
            List.of())
        .join();
  }

  @Test
  void keysOnTheOtherTokenAreFound() throws TokenException {
    Key both = key(one, other);
    Key onlyFirst = key(one);
    assertThat(ceremony.find(registry))
        .isEqualTo(
            new Ceremony.InventoryReport(
                List.of(
                    "Token " + first + " holds 2 of 2 keys.",
                    "Token " + second + " holds 1 of 2 keys."),
                true));
    assertThat(Lookups.find(registry, both.id()).orElseThrow().tokenSerials())
        .containsExactly(first, second);
    assertThat(Lookups.find(registry, onlyFirst.id()).orElseThrow().tokenSerials())
        .containsExactly(first);
    assertThat(ceremony.find(registry).lines()).hasSize(2);
  }

  @Test
  void tokenThatLostAKeyIsRemovedFromTheKeysTokens() throws TokenException {
    Key key = key(one, other);
    assertThat(ceremony.find(registry).lines()).hasSize(2);
    other.delete(key.object().label());
    assertThat(ceremony.find(registry).lines())
        .contains("Key " + key.id() + ": token " + second + " does not hold the key any more.");
    assertThat(Lookups.find(registry, key.id()).orElseThrow().tokenSerials())
        .containsExactly(first);
  }

  /// The second token has another key under the same label and id.
  @Test
  void replacedKeyIsReported() throws TokenException {
    Key key = key(one, other);
    assertThat(ceremony.find(registry).isSound()).isTrue();
    other.delete(key.object().label());
    other.importKey(key.object().label(), key.object().idHex(), ANOTHER);
    Ceremony.InventoryReport holdings = ceremony.find(registry);
    assertThat(holdings.isSound()).isFalse();
    assertThat(holdings.lines()).anyMatch(line -> line.contains("stays a token of this key"));
    assertThat(Lookups.find(registry, key.id()).orElseThrow().tokenSerials())
        .containsExactly(first, second);
  }

  /// First the key's original token loses it, then its last token.
  @Test
  void lastTokenOfAKeyStaysRegistered() throws TokenException {
    Key key = key(one, other);
    assertThat(ceremony.find(registry).isSound()).isTrue();
    one.delete(key.object().label());
    assertThat(ceremony.find(registry).lines())
        .contains("Key " + key.id() + ": token " + first + " does not hold the key any more.");
    assertThat(Lookups.find(registry, key.id()).orElseThrow().tokenSerials()).contains(second);
    other.delete(key.object().label());
    assertThat(ceremony.find(registry).lines())
        .contains("Key " + key.id() + ": token " + second + " does not hold the key any more.");
    assertThat(Lookups.find(registry, key.id()).orElseThrow().tokenSerials()).contains(second);
  }

  @Test
  void keyForAccessKeysIsReplacedOnlyOnRequest() throws TokenException, StartException {
    assertThat(ceremony.makeOwnKeys()).isTrue();
    assertThat(registry.writer().restored(first, "elsewhere").join()).isZero();
    assertThatThrownBy(ceremony::makeOwnKeys)
        .isInstanceOf(StartException.class)
        .hasMessageContaining("token elsewhere is not configured");
    assertThat(ownKeys.forget("elsewhere", DaemonKey.Purpose.ACCESS_KEYS).join()).isTrue();
    assertThat(ceremony.makeOwnKeys()).isTrue();
  }

  @Test
  void keysOfARestoredTokenAreRegisteredForItsNewSerial() throws TokenException {
    Key key = key(one);
    assertThat(registry.writer().restored(first, "backup").join()).isEqualTo(1);
    assertThat(Lookups.find(registry, key.id()).orElseThrow().tokenSerials())
        .containsExactly("backup");
    assertThat(ceremony.find(registry).lines())
        .contains("Key " + key.id() + ": none of its tokens is configured.");
    assertThat(registry.writer().restored("backup", first).join()).isEqualTo(1);
    assertThat(ceremony.find(registry).lines()).contains("Token " + first + " holds 1 of 1 keys.");
  }

  @Test
  void anotherKeyOfTheSameNameIsReportedAndNotUsed() throws TokenException {
    Key key = key(one);
    other.importKey(key.object().label(), key.object().idHex(), ANOTHER);
    Ceremony.InventoryReport holdings = ceremony.find(registry);
    assertThat(holdings.isSound()).isFalse();
    assertThat(holdings.lines())
        .contains(
            "Key "
                + key.id()
                + ": token "
                + second
                + " has ANOTHER key under the same label and id.",
            "Token " + second + " holds 0 of 1 keys.");
    assertThat(Lookups.find(registry, key.id()).orElseThrow().tokenSerials())
        .containsExactly(first);
  }
}

package dev.hmacd.command;

import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.hmacd.StartException;
import dev.hmacd.key.ArnScope;
import dev.hmacd.registry.DaemonKeyRegistry;
import dev.hmacd.registry.Registry;
import dev.hmacd.testing.FaultModule;
import dev.hmacd.testing.SoftHsm;
import dev.hmacd.token.FaultyToken;
import dev.hmacd.token.PinFile;
import dev.hmacd.token.Pkcs11Modules;
import dev.hmacd.token.Pkcs11Token;
import dev.hmacd.token.TokenException;
import dev.hmacd.token.TokenSelector;
import java.nio.file.Path;
import java.time.Clock;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// A token with more keys than the daemon visits: keys of hmacd may be among the other keys.
final class ManyKeysTest {
  private static final int FOREIGN_KEYS = 3;

  @TempDir Path folder;
  private final SoftHsm hsm = SoftHsm.shared().another();
  private FaultyToken token;
  private Registry registry;
  private Ceremony ceremony;

  @SuppressWarnings("NullAway.Init") // open() sets the fields.
  ManyKeysTest() {}

  @BeforeEach
  void open() throws TokenException {
    registry =
        new Registry(
            file(), new ArnScope("aws", "eu-central-1", "123456789012"), Clock.systemUTC());
    DaemonKeyRegistry ownKeys = registry.ownKeys();
    registry.open();
    for (int i = 0; i < FOREIGN_KEYS; i++) {
      hsm.importKey("billing" + i, SoftHsm.freshId(), new byte[32]);
    }
    token =
        new FaultyToken(
            new Pkcs11Modules()
                .find(
                    FaultModule.inFrontOf(hsm).file(), // Initialized after the token's creation.
                    Optional.empty(),
                    new TokenSelector.BySerial(hsm.serial()),
                    new PinFile(hsm.pinFile()),
                    new Pkcs11Token.Use(true, false)));
    ceremony = new Ceremony(ownKeys);
    ceremony.add(token);
  }

  @AfterEach
  void close() {
    ceremony.close();
    registry.close();
  }

  private Path file() {
    return folder.resolve("registry.db");
  }

  @Test
  void tokenWithoutKeysOfHmacdIsNew() {
    token.countingAtMost(FOREIGN_KEYS);
    assertThatCode(() -> ceremony.requireRegistryNotLost(file())).doesNotThrowAnyException();
  }

  @Test
  void tokenWithTooManyKeysIsNotTreatedAsNew() {
    token.countingAtMost(FOREIGN_KEYS - 1);
    assertThatThrownBy(() -> ceremony.requireRegistryNotLost(file()))
        .isInstanceOf(StartException.class)
        .hasMessageContainingAll(
            "is new, but token " + hsm.serial() + " has more than 10000 secret keys",
            "may be keys of hmacd",
            "restore the backup of the registry",
            "hmacd init --new-registry");
  }

  @Test
  void ownKeysAreSearchedByNameOnATokenWithTooManyKeys() throws Exception {
    boolean _ = ceremony.makeOwnKeys();
    token.countingAtMost(0);
    assertThatCode(ceremony::requireNotInitialisedAnew).doesNotThrowAnyException();
    hsm.delete("hmacd/own/probe");
    assertThatCode(ceremony::requireNotInitialisedAnew).doesNotThrowAnyException();
    hsm.delete("hmacd/own/access_keys");
    assertThatThrownBy(ceremony::requireNotInitialisedAnew)
        .isInstanceOf(StartException.class)
        .hasMessageContainingAll(
            "the registry lists keys of hmacd on token " + hsm.serial(),
            "not found among the many keys of the token",
            "Restore the backup of the token");
  }
}

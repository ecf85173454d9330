package dev.hmacd.token;

import static org.assertj.core.api.Assertions.assertThat;

import dev.hmacd.key.KeyObject;
import dev.hmacd.key.MacAlgorithm;
import dev.hmacd.testing.Eventually;
import dev.hmacd.testing.FaultModule;
import dev.hmacd.testing.SoftHsm;
import java.nio.charset.StandardCharsets;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;

/// Without session copies, a token returns the same handle for each search of an object.
final class LoadedHandleTest {
  private static final byte[] MESSAGE = "message".getBytes(StandardCharsets.UTF_8);

  private final SoftHsm hsm = SoftHsm.shared();
  private final FaultModule module = FaultModule.inFrontOf(hsm);

  @Test
  void handleStaysLoadedForOtherUsersOfTheKey() throws TokenException {
    var key = new KeyObject(SoftHsm.freshLabel("used-twice"), SoftHsm.freshId());
    hsm.importKey(key.label(), key.idHex(), new byte[32]);
    Pkcs11Token token =
        new Pkcs11Modules()
            .expect(
                module.file(),
                Optional.empty(),
                new TokenSelector.BySerial(hsm.serial()),
                new PinFile(hsm.pinFile()),
                new Pkcs11Token.Use(false, false));
    try (TokenSession session = token.open();
        TokenSession beside = token.open()) {
      long handle = session.load(key);
      byte[] right = session.signOnce(key, MacAlgorithm.HMAC_SHA_256, MESSAGE);
      module.send("hang C_Sign 1");
      var signing =
          CompletableFuture.supplyAsync(
              () -> {
                try {
                  return session.sign(handle, MacAlgorithm.HMAC_SHA_256, MESSAGE);
                } catch (TokenException e) {
                  throw new IllegalStateException(e);
                }
              });
      Eventually.holds("C_Sign hangs", () -> module.count("hanging") == 1);
      // After a search, the session reads the key's name again before it releases the MAC.
      long sameObject = beside.load(key);
      module.send("clear");
      assertThat(signing).succeedsWithin(Eventually.LIMIT).isEqualTo(right);
      beside.unload(sameObject);
    }
  }
}

package dev.hmacd.command;

import dev.hmacd.config.Config;
import dev.hmacd.key.KeyObject;
import dev.hmacd.token.Pkcs11Token;
import java.security.SecureRandom;
import java.util.HexFormat;

/// The trials of `hmacd check` on a token, each with a trial key.
///
/// A trial creates its key and destroys the key afterwards. Trial keys have the label prefix of the
/// daemon's own keys, so nobody can adopt a trial key.
final class TokenTrials {
  private static final String LABEL = KeyObject.RESERVED_PREFIX + "check";
  private static final int ID_BYTES = 16;

  private final TokenExtractionCheck extraction;
  private final SettingsTrial settings;

  TokenTrials(Pkcs11Token token, Config.TokenSettings settings, Checklist list) {
    this.extraction = new TokenExtractionCheck(token, list);
    this.settings = new SettingsTrial(token, settings, list);
  }

  void run() throws InterruptedException {
    extraction.run(newObject());
    settings.run(newObject());
  }

  private static KeyObject newObject() {
    byte[] id = new byte[ID_BYTES];
    new SecureRandom().nextBytes(id);
    return new KeyObject(LABEL, HexFormat.of().formatHex(id));
  }
}

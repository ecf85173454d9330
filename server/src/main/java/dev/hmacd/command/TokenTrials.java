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

  private final Pkcs11Token token;
  private final TokenExtractionCheck extraction;
  private final SettingsTrial settings;
  private final Checklist list;

  TokenTrials(Pkcs11Token token, Config.TokenSettings settings, Checklist list) {
    this.token = token;
    this.list = list;
    this.extraction = new TokenExtractionCheck(token, list);
    this.settings = new SettingsTrial(token, settings, list);
  }

  void run() throws InterruptedException {
    extraction.run(newObject());
    settings.run(newObject());
    keyType();
  }

  /// Reports the type of new keys, which the first key of the trials has shown.
  private void keyType() {
    switch (token.keyType()) {
      case AUTO -> {} // No trial generated a key; its line has the failure.
      case GENERIC -> list.passed("key type", "new keys are generic secrets (CKK_GENERIC_SECRET)");
      case HMAC -> list.passed("key type", "new keys are HMAC keys, such as CKK_SHA256_HMAC");
    }
  }

  private static KeyObject newObject() {
    byte[] id = new byte[ID_BYTES];
    new SecureRandom().nextBytes(id);
    return new KeyObject(LABEL, HexFormat.of().formatHex(id));
  }
}

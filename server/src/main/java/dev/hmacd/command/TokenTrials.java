package dev.hmacd.command;

import dev.hmacd.StartException;
import dev.hmacd.config.Config;
import dev.hmacd.key.KeyAttributes;
import dev.hmacd.key.KeyObject;
import dev.hmacd.token.ExtractionTrial;
import dev.hmacd.token.Pkcs11Modules;
import dev.hmacd.token.Pkcs11Token;
import dev.hmacd.token.SigningBenchmark;
import dev.hmacd.token.TokenException;
import dev.hmacd.token.TokenSession;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.HexFormat;
import java.util.Locale;
import java.util.stream.Collectors;

/// The trials of `hmacd check` on a token: whether keys stay in it, and which settings suit it.
/// Creates trial keys and destroys the trial keys afterwards. Trial keys have the label prefix of
/// the daemon's own keys, so nobody can adopt a trial key.
final class TokenTrials {
  private static final String LABEL = KeyObject.RESERVED_PREFIX + "check";
  private static final int KEY_BYTES = 32;
  private static final int ID_BYTES = 16;
  private static final Duration TRIAL_DURATION = Duration.ofMillis(200);

  /// If there were one lane only, a hanging call in the module would leave none.
  private static final int MIN_LANES = 2;

  /// Minimum ratio of speeds at which copies are recommended. Copies cost memory of the token, and
  /// time when a lane first uses a key.
  private static final double MIN_SPEEDUP_OF_COPIES = 1.1;

  private final Pkcs11Token token;
  private final Config.TokenSettings settings;
  private final Checklist list;

  TokenTrials(Pkcs11Token token, Config.TokenSettings settings, Checklist list) {
    this.token = token;
    this.settings = settings;
    this.list = list;
  }

  void run() throws InterruptedException {
    try {
      extraction(token.tryExtraction(newObject()));
    } catch (TokenException e) {
      list.fail("key trial", String.valueOf(e.getMessage()));
    }
    try {
      speed();
    } catch (TokenException | StartException e) {
      list.fail("speed", String.valueOf(e.getMessage()));
    }
  }

  private static KeyObject newObject() {
    byte[] id = new byte[ID_BYTES];
    new SecureRandom().nextBytes(id);
    return new KeyObject(LABEL, HexFormat.of().formatHex(id));
  }

  private void extraction(ExtractionTrial.Result result) {
    var unfit = result.attributes().unfit();
    if (unfit.isPresent()) {
      list.fail("key trial", unfit.get().attribute() + " " + unfit.get().rule());
    } else {
      list.ok("key trial", attributes(result.attributes()));
    }
    if (result.valueTold()) {
      list.fail("value", "the token reveals CKA_VALUE of a sensitive key");
    } else {
      list.ok("value", "the token does not reveal the value of a key");
    }
    if (result.copyLoosened()) {
      list.warn("copy", "a copy of a key can be extractable; " + consequence());
    } else {
      list.ok("copy", "no copy is less protected than its key");
    }
    if (!result.wrappedBy().isEmpty()) {
      list.warn(
          "wrapping",
          "the token wraps keys that are not extractable ("
              + String.join(", ", result.wrappedBy())
              + "); "
              + consequence());
    } else if (result.refusedBy().isEmpty()) {
      list.ok("wrapping", "the token wraps no keys under an AES key");
    } else {
      list.ok(
          "wrapping",
          "refused for a key that is not extractable by " + String.join(", ", result.refusedBy()));
    }
  }

  private static String consequence() {
    return "anyone with the PIN can extract every key: protect the PIN like the keys";
  }

  /// The attributes that describe a key's protection.
  static String attributes(KeyAttributes read) {
    return "sensitive=%s extractable=%s always_sensitive=%s never_extractable=%s local=%s"
        .formatted(
            read.sensitive(),
            read.extractable(),
            read.alwaysSensitive(),
            read.neverExtractable(),
            read.local());
  }

  private void speed() throws TokenException, StartException, InterruptedException {
    var modules = new Pkcs11Modules();
    Pkcs11Token objects = Startup.token(modules, settings, false);
    Pkcs11Token copies = Startup.token(modules, settings, true);
    long maxSessions = token.info().maxSessions().orElse(Long.MAX_VALUE);
    KeyObject key = newObject();
    try (TokenSession session = token.open()) {
      session.generate(key, KEY_BYTES);
      try {
        var onObjects = SigningBenchmark.run(objects, key, maxSessions - 1, TRIAL_DURATION);
        var onCopies = SigningBenchmark.run(copies, key, maxSessions - 1, TRIAL_DURATION);
        list.ok("token objects", rates(onObjects));
        list.ok("session copies", rates(onCopies));
        recommend(onObjects, onCopies);
      } finally {
        session.destroy(key);
      }
    }
  }

  private static String rates(SigningBenchmark.Rates result) {
    return result.measurements().stream()
            .map(
                measurement ->
                    String.format(
                        Locale.ROOT,
                        "%,d with %d %s",
                        measurement.macsPerSecond(),
                        measurement.sessions(),
                        measurement.sessions() == 1 ? "session" : "sessions"))
            .collect(Collectors.joining(", "))
        + " (MACs of 64 bytes per second)";
  }

  private void recommend(SigningBenchmark.Rates onObjects, SigningBenchmark.Rates onCopies) {
    boolean useCopies = onCopies.best() > MIN_SPEEDUP_OF_COPIES * onObjects.best();
    int lanes = Math.max(MIN_LANES, (useCopies ? onCopies : onObjects).sessions());
    list.ok(
        "recommended",
        "lanes: %d, session_copies: %s; configured are %d and %s"
            .formatted(lanes, useCopies, settings.lanes(), settings.sessionCopies()));
  }
}

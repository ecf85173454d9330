package dev.hmacd.command;

import dev.hmacd.StartException;
import dev.hmacd.config.Config;
import dev.hmacd.key.KeyObject;
import dev.hmacd.token.Pkcs11Modules;
import dev.hmacd.token.Pkcs11Token;
import dev.hmacd.token.SigningBenchmark;
import dev.hmacd.token.TokenException;
import dev.hmacd.token.TokenSession;
import java.time.Duration;
import java.util.Locale;
import java.util.stream.Collectors;

/// Measures the speed of a token, to recommend its settings `lanes` and `session_copies`.
final class SettingsTrial {
  private static final int KEY_BYTES = 32;
  private static final Duration TRIAL_DURATION = Duration.ofMillis(200);

  /// Minimum recommended number of lanes. With only one lane, a hanging call in the module would
  /// leave no lane.
  private static final int MIN_LANES = 2;

  /// Minimum ratio of the speeds with and without session copies at which session copies are
  /// recommended. Session copies cost memory of the token, and time when a lane first uses a key.
  private static final double MIN_SPEEDUP_OF_COPIES = 1.1;

  private final Pkcs11Token token;
  private final Config.TokenSettings settings;
  private final Checklist list;

  SettingsTrial(Pkcs11Token token, Config.TokenSettings settings, Checklist list) {
    this.token = token;
    this.settings = settings;
    this.list = list;
  }

  /// @param key label and id of a trial key, which the trial creates and destroys
  void run(KeyObject key) throws InterruptedException {
    try {
      measure(key);
    } catch (TokenException | StartException e) {
      list.tolerated("speed", String.valueOf(e.getMessage()));
    }
  }

  private void measure(KeyObject key) throws TokenException, StartException, InterruptedException {
    var modules = new Pkcs11Modules();
    Pkcs11Token objects = CommandSetup.token(modules, settings, false);
    Pkcs11Token copies = CommandSetup.token(modules, settings, true);
    long maxSessions = token.info().maxSessions().orElse(Long.MAX_VALUE);
    try (TokenSession session = token.open()) {
      session.generate(key, KEY_BYTES);
      try {
        var onObjects = SigningBenchmark.run(objects, key, maxSessions - 1, TRIAL_DURATION);
        var onCopies = SigningBenchmark.run(copies, key, maxSessions - 1, TRIAL_DURATION);
        list.passed("token objects", rates(onObjects));
        list.passed("session copies", rates(onCopies));
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
    list.passed(
        "recommended",
        "lanes: %d, session_copies: %s; configured are %d and %s"
            .formatted(lanes, useCopies, settings.lanes(), settings.sessionCopies()));
  }
}

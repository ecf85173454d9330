package dev.hmacd.token;

import com.google.errorprone.annotations.ThreadSafe;
import dev.hmacd.key.KeyAttributes.Unfit;
import dev.hmacd.key.KeyCheckValue;
import dev.hmacd.key.KeyObject;
import dev.hmacd.log.LogRateLimiter;
import dev.hmacd.token.TokenException.Fault;
import dev.hmacd.token.TokenException.Kind;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Logs the faults of a token, and of the keys on it. A fault of a key is logged once, and again
/// only after the key was usable. Log messages about faults of the token, and about refused keys,
/// are rate-limited.
@ThreadSafe
@SuppressWarnings("ThreadSafe") // LogRateLimiter, LoggedKeyFaults and the map are thread-safe.
final class FaultLog {
  /// Maximum number of keys in [#refused]. At this number, the map is cleared.
  private static final int MAX_REFUSED = 1000;

  private static final Duration REFUSAL_INTERVAL = Duration.ofMinutes(1);

  private static final Logger log = LoggerFactory.getLogger(FaultLog.class);

  private final Token token;

  /// Keys that the last search did not find.
  private final LoggedKeyFaults missing = new LoggedKeyFaults();

  /// Keys that were not usable at the last load: their attributes did not permit MACs, or several
  /// objects had their label and id.
  private final LoggedKeyFaults unfit = new LoggedKeyFaults();

  /// Keys whose label and id belong to another key on the token.
  private final LoggedKeyFaults substituted = new LoggedKeyFaults();

  /// Keys that the token refused for MACs, each with the rate limit of its log message.
  private final Map<KeyObject, LogRateLimiter> refused = new ConcurrentHashMap<>();

  private final LogRateLimiter faults = new LogRateLimiter(Duration.ofSeconds(1));

  FaultLog(Token token) {
    this.token = token;
  }

  /// Logs a fault of the token: the first at once, then at most one message per second, with a
  /// count.
  void tokenFault(TokenException e) {
    if (e.fault() == Fault.STALE || e.fault() == Fault.CAPACITY || e.fault() == Fault.PIN_FILE) {
      return; // STALE and CAPACITY are no new faults of the token; PIN_FILE has its own message.
    }
    long more = faults.happened();
    if (more > 0) {
      log.atWarn()
          .addKeyValue("token_serial", token.info().serial())
          .addKeyValue("fault", e.fault())
          .addKeyValue("reason", e.getMessage())
          .addKeyValue("times", more)
          .log("Token fault: a lane closed its session");
    }
  }

  /// Records that a key was not found, although the token has the health check key.
  ///
  /// @return true if the fault is new: the caller then calls [#logMissing]
  boolean addMissing(KeyObject key) {
    return missing.add(key);
  }

  void logMissing(KeyObject key) {
    log.atWarn()
        .addKeyValue("token_serial", token.info().serial())
        .addKeyValue("object_label", key.label())
        .addKeyValue("object_id", key.idHex())
        .log("Key not found on the token");
  }

  /// Logs that the attributes of a key do not allow its use, or that several objects have the label
  /// and id of the key.
  void keyUnfit(KeyObject key, TokenException e) {
    if (unfit.add(key)) {
      log.atWarn()
          .addKeyValue("token_serial", token.info().serial())
          .addKeyValue("object_label", key.label())
          .addKeyValue("object_id", key.idHex())
          .addKeyValue("reason", e.unfit().map(Unfit::text).orElseGet(e::getMessage))
          .log(
              e.kind() == Kind.KEY_AMBIGUOUS
                  ? "Key not usable: several objects have its label and id"
                  : "Key not usable: its attributes do not permit MACs");
    }
  }

  /// Logs that a loaded key permits no MAC: the token refused the key, or CKA_ALLOWED_MECHANISMS of
  /// the key lacks the mechanism. The first message of a key is logged at once, then at most one
  /// per minute, with a count.
  ///
  /// @param check check value of the key, which has the key id; null if it is unknown
  void keyRefused(KeyObject key, @Nullable KeyCheckValue check, TokenException e) {
    if (refused.size() >= MAX_REFUSED) {
      refused.clear();
    }
    long times = refused.computeIfAbsent(key, _ -> new LogRateLimiter(REFUSAL_INTERVAL)).happened();
    if (times > 0) {
      log.atWarn()
          .addKeyValue("key_id", check == null ? "unknown" : check.key())
          .addKeyValue("token_serial", token.info().serial())
          .addKeyValue("object_label", key.label())
          .addKeyValue("object_id", key.idHex())
          .addKeyValue("reason", e.getMessage())
          .addKeyValue("rule", e.unfit().map(Unfit::text).orElse("unknown"))
          .addKeyValue("times", times)
          .log("Key not usable: the token refuses the key for MACs");
    }
  }

  /// Forgets the logged faults of a key that was found and is usable.
  void keyLoaded(KeyObject key) {
    missing.remove(key);
    unfit.remove(key);
  }

  /// Logs that another key has the label and id of a key.
  void keySubstituted(KeyObject object, KeyCheckValue check) {
    if (substituted.add(object)) {
      log.atError()
          .addKeyValue("key_id", check.key())
          .addKeyValue("token_serial", token.info().serial())
          .addKeyValue("object_label", object.label())
          .log(
              "Another key is on the token under the label and id of this key; the other key is not used");
    }
  }

  /// Records that a key's object has the right check value again. The next substitution of the key
  /// is logged again.
  void keyRecognised(KeyObject object) {
    substituted.remove(object);
  }
}

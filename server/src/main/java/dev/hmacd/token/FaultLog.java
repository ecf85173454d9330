package dev.hmacd.token;

import com.google.errorprone.annotations.ThreadSafe;
import dev.hmacd.key.KeyAttributes.Unfit;
import dev.hmacd.key.KeyCheckValue;
import dev.hmacd.key.KeyObject;
import dev.hmacd.log.LogRateLimiter;
import dev.hmacd.token.TokenException.Fault;
import dev.hmacd.token.TokenException.Kind;
import java.time.Duration;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Log of the faults that the lanes of a token meet. A fault of a key is logged once, until the key
/// is usable again. Faults of the token have a rate limit.
@ThreadSafe
@SuppressWarnings("ThreadSafe") // LogRateLimiter and LoggedKeyFaults are thread-safe.
final class FaultLog {
  private static final Logger log = LoggerFactory.getLogger(FaultLog.class);

  private final Token token;

  /// Keys that the last search did not find.
  private final LoggedKeyFaults missing = new LoggedKeyFaults();

  /// Keys whose attributes did not permit MACs at the last load.
  private final LoggedKeyFaults unfit = new LoggedKeyFaults();

  /// Keys whose label and id name another key on the token.
  private final LoggedKeyFaults substituted = new LoggedKeyFaults();

  private final LogRateLimiter faults = new LogRateLimiter(Duration.ofSeconds(1));

  FaultLog(Token token) {
    this.token = token;
  }

  /// A fault of the token: the first is logged at once, then at most one message in a second, with
  /// a count.
  void tokenFault(TokenException e) {
    if (e.fault() == Fault.STALE || e.fault() == Fault.CAPACITY) {
      return; // Is not a new fault of the token.
    }
    long more = faults.happened();
    if (more > 0) {
      log.atWarn()
          .addKeyValue("token_serial", token.info().serial())
          .addKeyValue("fault", e.fault())
          .addKeyValue("reason", e.getMessage())
          .addKeyValue("times", more)
          .log("Token fault");
    }
  }

  /// Records that a key was not found on a token that has its other objects.
  ///
  /// @return whether the fault is new, so that the caller calls [#logMissing]
  boolean addMissing(KeyObject key) {
    return missing.add(key);
  }

  void logMissing(KeyObject key) {
    log.atWarn()
        .addKeyValue("token_serial", token.info().serial())
        .addKeyValue("label", key.label())
        .addKeyValue("id", key.idHex())
        .log("Key not found on the token");
  }

  /// Logs that the attributes of a key do not allow its use, or that several objects have the label
  /// and id of the key.
  void keyUnfit(KeyObject key, TokenException e) {
    if (unfit.add(key)) {
      log.atWarn()
          .addKeyValue("token_serial", token.info().serial())
          .addKeyValue("label", key.label())
          .addKeyValue("id", key.idHex())
          .addKeyValue("reason", e.unfit().map(Unfit::text).orElseGet(e::getMessage))
          .log(
              e.kind() == Kind.KEY_AMBIGUOUS
                  ? "Key not usable: several objects have its label and id"
                  : "Key not usable: its attributes do not permit MACs");
    }
  }

  /// Records that a key was found and may be used.
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

  /// Records that an object has the check value of its key.
  void keyRecognised(KeyObject object) {
    substituted.remove(object);
  }
}

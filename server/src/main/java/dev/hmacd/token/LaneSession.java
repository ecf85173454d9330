package dev.hmacd.token;

import dev.hmacd.key.DaemonKey;
import dev.hmacd.key.KeyCheckValue;
import dev.hmacd.key.KeyObject;
import dev.hmacd.token.TokenException.Fault;
import dev.hmacd.token.TokenException.Kind;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// The session of a lane with the handles of its keys. Opens at the first use, and again after a
/// fault. For the lane's thread only, except for [#evict] and [#isOpen].
final class LaneSession {
  /// Maximum number of handles. Each may be a session object in the token's memory.
  private static final int MAX_HANDLES = 4096;

  /// How long the comparison of a check value stays valid for the handle of a token object. Some
  /// tokens reuse the handle of a destroyed object.
  private static final long RECOGNISED_NANOS = Duration.ofSeconds(1).toNanos();

  private static final Logger log = LoggerFactory.getLogger(LaneSession.class);

  private final Token token;
  private final Lanes lanes;

  /// Least recently used first.
  private final Map<KeyObject, Loaded> handles = new LinkedHashMap<>(16, 0.75f, true);

  /// A handle, with the check value that was compared last and the time of the comparison. The
  /// check value is null before the first comparison.
  private record Loaded(long handle, @Nullable KeyCheckValue check, long recognisedNanos) {
    static Loaded unknown(long handle) {
      return new Loaded(handle, null, 0);
    }
  }

  /// Handle of the token object of the health check's key; null until this session has found it.
  private @Nullable Long healthCheckHandle;

  /// The count of [Lanes#reopenSessions] calls that this session has seen.
  private int reopened;

  /// Keys that the token no longer has. The lane unloads their handles and copies.
  private final Queue<KeyObject> evicted = new ConcurrentLinkedQueue<>();

  /// Written by the lane only; other threads only test for null.
  private volatile @Nullable TokenSession session;

  LaneSession(Token token, Lanes lanes) {
    this.token = token;
    this.lanes = lanes;
  }

  /// The open session.
  TokenSession session() throws TokenException {
    TokenSession open = session;
    if (open == null) {
      open = token.open();
      session = open;
    }
    return open;
  }

  /// The session for work other than MACs.
  TokenSession workSession() throws TokenException {
    return new WorkSession(session(), this);
  }

  boolean isOpen() {
    return session != null;
  }

  /// A handle of a key. If the session has none, it searches and checks the object.
  ///
  /// @param check the check value: compared once for the handle of a copy, every
  ///   [#RECOGNISED_NANOS] for the handle of a token object; null for no comparison
  /// @throws TokenException `KEY_UNFIT` also if another key has its label and id
  long handle(KeyObject key, @Nullable KeyCheckValue check) throws TokenException {
    Loaded known = handles.get(key);
    if (known == null) {
      if (handles.size() >= MAX_HANDLES) {
        var eldest = handles.entrySet().iterator().next();
        handles.remove(eldest.getKey());
        session().unload(eldest.getValue().handle());
      }
      known = Loaded.unknown(load(key));
      handles.put(key, known);
    }
    if (check != null && !isRecognised(known, check)) {
      recognise(key, known.handle(), check);
    }
    return known.handle();
  }

  private boolean isRecognised(Loaded known, KeyCheckValue check) throws TokenException {
    return check.equals(known.check())
        && (System.nanoTime() - known.recognisedNanos() < RECOGNISED_NANOS
            || session().isCopy(known.handle()));
  }

  private void recognise(KeyObject key, long handle, KeyCheckValue check) throws TokenException {
    long start = System.nanoTime();
    byte[] mac = session().sign(handle, check.algorithm(), check.message());
    if (!check.isAnsweredBy(mac)) {
      handles.remove(key);
      lanes.faults().keySubstituted(key, check);
      session().unload(handle);
      throw new TokenException(
          TokenException.Kind.KEY_UNFIT,
          "the object with the label " + key.label() + " is another key");
    }
    handles.put(key, new Loaded(handle, check, start));
    lanes.faults().keyRecognised(key);
  }

  private long load(KeyObject key) throws TokenException {
    try {
      long loaded = workSession().load(key);
      lanes.faults().keyLoaded(key);
      return loaded;
    } catch (TokenException e) {
      if (e.kind() == Kind.KEY_MISSING) {
        lanes.missing(key);
      } else if (e.kind() == Kind.KEY_UNFIT || e.kind() == Kind.KEY_AMBIGUOUS) {
        lanes.faults().keyUnfit(key, e);
      }
      throw e;
    }
  }

  /// Computes the health check's MAC under the token object of its key. A copy would work after the
  /// loss of all token objects. The session searches for the object again from time to time: a
  /// handle can work although searches find no keys.
  byte[] checkHealth(DaemonKey key) throws TokenException {
    Long known = healthCheckHandle;
    if (known == null || lanes.searches().isDue()) {
      known = healthCheckObject(key);
    }
    return session().sign(known, HealthCheck.ALGORITHM, HealthCheck.message());
  }

  /// Searches for the object, even if this session has a handle of it.
  private long healthCheckObject(DaemonKey key) throws TokenException {
    Long before = healthCheckHandle;
    healthCheckHandle = null;
    long start = System.nanoTime();
    try {
      long found = session().loadTokenObject(key.object());
      healthCheckHandle = found;
      if (before != null) {
        session().unload(before); // Also if the handle is the same: each search loads it once more.
      }
      lanes.searches().found(System.nanoTime() - start);
      return found;
    } catch (TokenException e) {
      lanes.searches().makeDue();
      // A missing or unfit health check key is a fault of the token. A new session may find the
      // key.
      throw e.fault() == Fault.NONE
          ? TokenException.fault(Fault.OBJECT, "health check: " + e.getMessage(), e)
          : e;
    }
  }

  /// Checks that the token has its objects, before the daemon reports an object as missing. Always
  /// searches: a handle can outlive the objects, and an earlier search of another lane does not
  /// show the present state.
  ///
  /// @throws TokenException a fault, if the health check's key is missing, too, or is not usable
  void requireObjects() throws TokenException {
    DaemonKey key = lanes.healthCheckKey();
    if (key == null) {
      return;
    }
    byte[] mac =
        session().sign(healthCheckObject(key), HealthCheck.ALGORITHM, HealthCheck.message());
    if (!MessageDigest.isEqual(mac, key.knownAnswer())) {
      throw TokenException.fault(Fault.WRONG_MAC, "the health check's MAC is wrong");
    }
  }

  /// Makes the lane unload a key at its next [#refresh]. Thread-safe.
  void evict(KeyObject key) {
    evicted.add(key);
  }

  /// Closes the session if all sessions are to be reopened. Unloads evicted keys.
  void refresh() {
    int wanted = lanes.reopenings();
    if (wanted != reopened) {
      reopened = wanted;
      close();
    }
    for (KeyObject key = evicted.poll(); key != null; key = evicted.poll()) {
      unload(key);
    }
  }

  private void unload(KeyObject key) {
    Loaded known = handles.remove(key);
    TokenSession open = session;
    if (known != null && open != null) {
      try {
        open.unload(known.handle());
      } catch (TokenException | RuntimeException e) {
        // The copy ends with the session.
        log.atWarn()
            .addKeyValue("object_label", key.label())
            .addKeyValue("reason", e.getMessage())
            .log("Session copy of a key not destroyed");
        close();
      }
    }
  }

  void close() {
    handles.clear();
    healthCheckHandle = null;
    TokenSession open = session;
    session = null;
    if (open != null) {
      open.close();
    }
  }
}

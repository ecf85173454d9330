package dev.hmacd.token;

import dev.hmacd.key.DaemonKey;
import dev.hmacd.key.KeyAttributes.Unfit;
import dev.hmacd.key.KeyCheckValue;
import dev.hmacd.key.KeyObject;
import dev.hmacd.key.MacAlgorithm;
import dev.hmacd.token.TokenException.Fault;
import dev.hmacd.token.TokenException.Kind;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// The session of a lane, with the handles of the keys that it has loaded. The session opens at its
/// first use, and again after a fault. Only the lane's thread may call the methods, except for
/// [#evict] and [#isOpen].
final class LaneSession {
  /// Maximum number of key handles. Each handle may belong to a session object, which takes memory
  /// of the token.
  private static final int MAX_HANDLES = 4096;

  /// How long the handle of a token object is trusted after a comparison of the key's check value.
  /// Some tokens reuse the handle of a destroyed object.
  private static final long RECOGNISED_NANOS = Duration.ofSeconds(1).toNanos();

  /// Length in bytes up to which a token must take each message: it refuses the length of a shorter
  /// message only if it fails. The messages of the daemon itself are shorter.
  private static final int SHORT_BYTES = 256;

  /// Cost of the load of a key, in MACs: a search, its attributes, and a copy on some tokens.
  private static final int LOAD_COST = 4;

  private static final Logger log = LoggerFactory.getLogger(LaneSession.class);

  private final Token token;
  private final Lanes lanes;

  /// Handles by key, the least recently used first.
  private final Map<KeyObject, Loaded> handles = new LinkedHashMap<>(16, 0.75f, true);

  /// The handle of a key.
  ///
  /// @param loadedNanos time of the search that found the handle
  /// @param isRefused whether the token has refused a MAC under the handle
  /// @param check the check value that was compared last; null before the first comparison
  /// @param recognisedNanos time of the last comparison
  private record Loaded(
      long handle,
      long loadedNanos,
      boolean isRefused,
      @Nullable KeyCheckValue check,
      long recognisedNanos) {
    static Loaded unknown(long handle) {
      return new Loaded(handle, System.nanoTime(), false, null, 0);
    }

    Loaded recognised(KeyCheckValue compared, long nanos) {
      return new Loaded(handle, loadedNanos, isRefused, compared, nanos);
    }

    Loaded markRefused() {
      return new Loaded(handle, loadedNanos, true, check, recognisedNanos);
    }
  }

  /// Handle of the health check key's token object; null until this session has found the object.
  private @Nullable Long healthCheckHandle;

  /// Number of the [Lanes#reopenSessions] calls that this lane has handled.
  private int reopened;

  /// Keys that the token no longer has. The lane will unload their handles and session copies.
  private final Queue<KeyObject> evicted = new ConcurrentLinkedQueue<>();

  /// Written by the lane's thread only; other threads only compare it with null.
  private volatile @Nullable TokenSession session;

  /// See [#takeFurtherCost].
  private int furtherCost;

  LaneSession(Token token, Lanes lanes) {
    this.token = token;
    this.lanes = lanes;
  }

  /// The session; opens it if it is not open.
  TokenSession session() throws TokenException {
    TokenSession open = session;
    if (open == null) {
      open = token.open();
      session = open;
    }
    return open;
  }

  /// The session for work other than MACs.
  TokenSession recheckingSession() throws TokenException {
    return new RecheckingSession(session(), this);
  }

  boolean isOpen() {
    return session != null;
  }

  /// A handle of a key. If the session has no handle of the key, it searches for the object and
  /// checks its attributes. A handle that the token has refused is used for
  /// [Lanes#refusedLifetimeNanos], then the session searches again: an operator may have replaced
  /// the object.
  ///
  /// @param check the check value: compared once for the handle of a copy, every
  ///   [#RECOGNISED_NANOS] for the handle of a token object; null for no comparison
  /// @throws TokenException `KEY_UNFIT` also if another key has the label and id of this key
  long handle(KeyObject key, @Nullable KeyCheckValue check) throws TokenException {
    Loaded known = handles.get(key);
    if (known != null && isRefusedLongAgo(known)) {
      unload(key);
      known = null;
    }
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
      recognise(key, known, check);
    }
    return known.handle();
  }

  private boolean isRefusedLongAgo(Loaded known) {
    return known.isRefused()
        && System.nanoTime() - known.loadedNanos() >= lanes.refusedLifetimeNanos();
  }

  private boolean isRecognised(Loaded known, KeyCheckValue check) throws TokenException {
    return check.equals(known.check())
        && (System.nanoTime() - known.recognisedNanos() < RECOGNISED_NANOS
            || session().isCopy(known.handle()));
  }

  private void recognise(KeyObject key, Loaded known, KeyCheckValue check) throws TokenException {
    long start = System.nanoTime();
    furtherCost++;
    byte[] mac = sign(key, check, known.handle(), check.algorithm(), check.message());
    if (!check.isAnsweredBy(mac)) {
      handles.remove(key);
      lanes.faults().keySubstituted(key, check);
      session().unload(known.handle());
      throw new TokenException(
          TokenException.Kind.KEY_UNFIT,
          "the object with the label " + key.label() + " is another key");
    }
    handles.put(key, known.recognised(check, start));
    lanes.faults().keyRecognised(key);
  }

  /// Returns and forgets the cost of the loads and comparisons of keys since the last call, in
  /// MACs.
  int takeFurtherCost() {
    int further = furtherCost;
    furtherCost = 0;
    return further;
  }

  /// Computes the MAC of a request.
  ///
  /// @param handle result of [#handle]
  byte[] sign(SignRequest request, long handle) throws TokenException {
    return sign(request.key(), request.check(), handle, request.algorithm(), request.message());
  }

  private byte[] sign(
      KeyObject key,
      @Nullable KeyCheckValue check,
      long handle,
      MacAlgorithm algorithm,
      byte[] message)
      throws TokenException {
    try {
      return session().sign(handle, algorithm, message);
    } catch (TokenException e) {
      TokenException failure = decided(e, message.length);
      if (failure.kind() == Kind.KEY_UNFIT) {
        handles.computeIfPresent(key, (_, loaded) -> loaded.markRefused());
        lanes.faults().keyRefused(key, check, failure);
      }
      throw failure;
    }
  }

  /// Decides whether a failed MAC is a fault of the token, of the key or of the message. Tokens
  /// refuse a key with return codes that some tokens also return for every key after a logout. So
  /// the health check's MAC is computed in this session: if it is correct, the token refuses only
  /// this key or this message.
  ///
  /// @param messageBytes length of the message
  /// @return the failure of the MAC; `KEY_UNFIT` if the token refuses the key, `MESSAGE_TOO_LONG`
  ///   if it refuses the length of the message
  /// @throws TokenException the fault of the token that the health check's MAC has shown
  TokenException decided(TokenException failure, int messageBytes) throws TokenException {
    DaemonKey healthCheckKey = lanes.healthCheckKey();
    Optional<Unfit> unfit = failure.unfit();
    boolean isTooLong = failure.isLengthRefused() && messageBytes > SHORT_BYTES;
    boolean isUnfit = failure.isKeyRefused() && unfit.isPresent();
    if (healthCheckKey == null || !(isTooLong || isUnfit)) {
      return failure;
    }
    furtherCost++;
    byte[] mac;
    try {
      mac = checkHealth(healthCheckKey);
    } catch (TokenException e) {
      throw e.fault() == Fault.NONE ? failure : e;
    }
    requireKnownAnswer(healthCheckKey, mac);
    return unfit
        .map(rule -> TokenException.unfit(rule, String.valueOf(failure.getMessage())))
        .orElseGet(() -> TokenException.messageTooLong(failure));
  }

  private static void requireKnownAnswer(DaemonKey healthCheckKey, byte[] mac)
      throws TokenException {
    if (!MessageDigest.isEqual(mac, healthCheckKey.knownAnswer())) {
      throw TokenException.fault(Fault.WRONG_MAC, "the health check's MAC is wrong");
    }
  }

  private long load(KeyObject key) throws TokenException {
    furtherCost += LOAD_COST;
    try {
      long loaded = recheckingSession().load(key);
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

  /// Computes the health check's MAC under the token object of the health check key. A session copy
  /// would still work after the loss of all token objects. The session searches for the token
  /// object again from time to time, because a handle can work although searches find no keys.
  byte[] checkHealth(DaemonKey key) throws TokenException {
    Long known = healthCheckHandle;
    if (known == null || lanes.searches().isDue()) {
      known = healthCheckObject(key);
    }
    return session().sign(known, HealthCheck.ALGORITHM, HealthCheck.message());
  }

  /// Searches for the health check key's token object, even if this session has a handle of it.
  private long healthCheckObject(DaemonKey key) throws TokenException {
    Long before = healthCheckHandle;
    healthCheckHandle = null;
    long start = System.nanoTime();
    try {
      long found = session().loadTokenObject(key.object());
      healthCheckHandle = found;
      if (before != null) {
        session().unload(before); // An equal handle, too: each search loads it once more.
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

  /// Checks that the token has the health check key, before the daemon reports another object as
  /// missing. Always searches for the key: a handle can outlive the token's objects, and an earlier
  /// search of another lane does not show the present state.
  ///
  /// @throws TokenException a fault of the token, if the health check key is missing or not usable
  void requireObjects() throws TokenException {
    DaemonKey key = lanes.healthCheckKey();
    if (key == null) {
      return;
    }
    byte[] mac =
        session().sign(healthCheckObject(key), HealthCheck.ALGORITHM, HealthCheck.message());
    requireKnownAnswer(key, mac);
  }

  /// Makes the lane unload a key at its next [#refresh]. Thread-safe.
  void evict(KeyObject key) {
    evicted.add(key);
  }

  /// Closes the session if [Lanes#reopenSessions] was called since the last refresh. Unloads
  /// evicted keys.
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
        // The end of the session destroys the copy, too.
        log.atWarn()
            .addKeyValue("object_label", key.label())
            .addKeyValue("reason", e.getMessage())
            .log("Session copy of a key not destroyed; its session is closed instead");
        close();
      }
    }
  }

  /// Closes the session, if it is open. Never throws: the lane continues with another session.
  void close() {
    handles.clear();
    healthCheckHandle = null;
    TokenSession open = session;
    session = null;
    if (open != null) {
      try {
        open.close();
      } catch (RuntimeException | Error e) {
        log.atError()
            .addKeyValue("token_serial", token.info().serial())
            .setCause(e)
            .log("Session of the token not closed: unexpected Java exception");
      }
    }
  }
}

package dev.hmacd.token;

import dev.hmacd.key.KeyCheck;
import dev.hmacd.key.KeyObject;
import dev.hmacd.key.OwnKey;
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

/// A thread with one session and the handles of its keys. A session takes one operation at a time,
/// and a native call can hang: a lane confines both.
final class Lane implements Runnable {
  /// Maximum number of handles of a lane. Each may be a session object in the token's memory.
  private static final int MAX_HANDLES = 4096;

  /// Maximum number of attempts for one job; more than two only after `STALE` faults.
  private static final int MAX_ATTEMPTS = 4;

  private static final Logger log = LoggerFactory.getLogger(Lane.class);

  private final Token token;
  private final Lanes lanes;
  private final LaneObserver observer;

  /// Least recently used first.
  private final Map<KeyObject, Loaded> handles = new LinkedHashMap<>(16, 0.75f, true);

  /// How long the comparison of a check value stays valid for the handle of a token object. Some
  /// tokens reuse the handle of a destroyed object.
  private static final long RECOGNISED_NANOS = Duration.ofSeconds(1).toNanos();

  /// A handle, with the check value that was compared last and the time of the comparison. The
  /// check value is null before the first comparison.
  private record Loaded(long handle, @Nullable KeyCheck check, long recognisedNanos) {
    static Loaded unknown(long handle) {
      return new Loaded(handle, null, 0);
    }
  }

  /// Handle of the token object of the health check's key; null until this session has found it.
  private @Nullable Long healthCheckHandle;

  /// The count of [Lanes#reopenSessions] calls that this lane has seen.
  private int reopened;

  /// Keys that are gone from the token. The lane unloads their handles and copies.
  private final Queue<KeyObject> gone = new ConcurrentLinkedQueue<>();

  /// Written by the lane only; other threads only test for null.
  private volatile @Nullable TokenSession session;

  /// The running job; read by the watchdog.
  private volatile @Nullable Job<?> current;

  /// Start of the running job.
  private volatile long startedNanos;

  private volatile long lastAnswerNanos;

  /// Whether another lane has replaced this one.
  private volatile boolean retired;

  private volatile @Nullable Thread thread;

  /// @param lastAnswerNanos time of the token's last answer to the replaced lane
  Lane(Token token, Lanes lanes, LaneObserver observer, long lastAnswerNanos) {
    this.lastAnswerNanos = lastAnswerNanos;
    this.token = token;
    this.lanes = lanes;
    this.observer = observer;
  }

  /// Opens the session before the thread starts, so that a start with a broken token fails.
  void open() throws TokenException {
    session();
  }

  /// Starts the lane's thread.
  void start(String name) {
    thread = Thread.ofPlatform().name(name).start(this);
  }

  @Override
  public void run() {
    try {
      while (!retired) {
        Job<?> job = lanes.take();
        reopenIfAsked();
        unloadGone();
        if (job != null && job.isStop()) {
          return;
        }
        if (job != null) {
          perform(job);
        }
      }
    } finally {
      closeSession();
      lanes.ended(this);
    }
  }

  private <T> void perform(Job<T> job) {
    long start = System.nanoTime();
    if (job.isExpired(start)) {
      job.late();
      return;
    }
    if (job.isAnswered()) {
      return;
    }
    if (job.isAbandoned()) {
      job.late(); // The caller is gone, but quotas still count the job.
      return;
    }
    if (!lanes.mayPerform(job)) {
      job.failed(Lanes.outOfService());
      return;
    }
    startedNanos = start;
    current = job;
    try {
      T value = attempt(job);
      long end = System.nanoTime();
      lastAnswerNanos = end;
      observer.finished(start - job.queuedAtNanos, end - start);
      job.done(value);
    } catch (TokenException e) {
      if (e.fault() == Fault.CAPACITY && lanes.hasSessionBeside(this)) {
        current = null;
        lanes.giveBack(job);
        lanes.pause();
        return;
      }
      long end = System.nanoTime();
      if (e.fault() == Fault.NONE) {
        lastAnswerNanos = end; // The token did not fail: it said no.
      }
      observer.finished(start - job.queuedAtNanos, end - start);
      lanes.failed(e);
      job.failed(e);
    } catch (RuntimeException | Error e) {
      // The session may be in any state after an unexpected error. A lane survives an Error, too:
      // the next job may find the memory that this one lacked.
      log.atError().setCause(e).log("Token operation failed: unexpected error");
      closeSession();
      job.failed(TokenException.fault(Fault.DEVICE, "unexpected error", e));
    } finally {
      current = null;
    }
  }

  /// Performs a job. After a fault, repeats an idempotent job on a new session.
  private <T> T attempt(Job<T> job) throws TokenException {
    int faults = 0;
    for (int attempt = 1; ; attempt++) {
      try {
        return job.perform(this);
      } catch (TokenException e) {
        boolean healed = heal(e);
        if (e.fault() != Fault.STALE) {
          faults++;
        }
        if (!healed
            || faults > 1
            || attempt == MAX_ATTEMPTS
            || !job.isRepeatable()
            || job.isExpired(System.nanoTime())) {
          throw e;
        }
      }
    }
  }

  /// Closes the session after a fault. Returns whether a new session may work.
  private boolean heal(TokenException e) {
    if (e.fault() == Fault.NONE) {
      return false;
    }
    closeSession();
    observer.healed(e.fault().name());
    lanes.log(e);
    return switch (e.fault()) {
      case NONE, PIN, WRONG_MAC, CAPACITY -> false;
      case STALE, SESSION, LOGIN, OBJECT, DEVICE, MODULE -> true;
    };
  }

  /// The lane's session; reopened after a fault closed it.
  TokenSession session() throws TokenException {
    TokenSession open = session;
    if (open == null) {
      open = token.open();
      session = open;
    }
    return open;
  }

  /// A handle of a key in this lane's session. If the lane has none, it searches and checks the
  /// object.
  ///
  /// @param check the check value: compared once for the handle of a copy, every
  ///   [#RECOGNISED_NANOS] for the handle of a token object; null for no comparison
  /// @throws TokenException `KEY_UNFIT` also if another key has its label and id
  long handle(KeyObject key, @Nullable KeyCheck check) throws TokenException {
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

  private boolean isRecognised(Loaded known, KeyCheck check) throws TokenException {
    return check.equals(known.check())
        && (System.nanoTime() - known.recognisedNanos() < RECOGNISED_NANOS
            || session().isCopy(known.handle()));
  }

  private void recognise(KeyObject key, long handle, KeyCheck check) throws TokenException {
    long start = System.nanoTime();
    byte[] mac = session().sign(handle, check.algorithm(), check.message());
    if (!check.isAnsweredBy(mac)) {
      handles.remove(key);
      lanes.reportAnotherKey(key, check);
      session().unload(handle);
      throw new TokenException(
          TokenException.Kind.KEY_UNFIT, "the object " + key.label() + " is another key");
    }
    handles.put(key, new Loaded(handle, check, start));
    lanes.reportRecognised(key);
  }

  private long load(KeyObject key) throws TokenException {
    try {
      long loaded = workSession().load(key);
      lanes.loaded(key);
      return loaded;
    } catch (TokenException e) {
      if (e.kind() == Kind.KEY_MISSING) {
        lanes.missed(key);
      } else if (e.kind() == Kind.KEY_UNFIT || e.kind() == Kind.KEY_AMBIGUOUS) {
        lanes.unfit(key, e);
      }
      throw e;
    }
  }

  /// The session for work other than MACs.
  TokenSession workSession() throws TokenException {
    return new WorkSession(session(), this);
  }

  /// Computes the health check's MAC under the token object of its key. A copy would work after the
  /// loss of all token objects. The lane searches for the object again from time to time: a handle
  /// can work although searches find no keys.
  byte[] checkHealth(OwnKey key) throws TokenException {
    Long known = healthCheckHandle;
    if (known == null || lanes.isSearchDue()) {
      known = healthCheckObject(key);
    }
    return session().sign(known, HealthCheck.ALGORITHM, HealthCheck.message());
  }

  /// Searches for the object, even if this lane has a handle of it.
  private long healthCheckObject(OwnKey key) throws TokenException {
    Long before = healthCheckHandle;
    healthCheckHandle = null;
    long start = System.nanoTime();
    try {
      long found = session().loadTokenObject(key.object());
      healthCheckHandle = found;
      if (before != null) {
        session().unload(before); // Also if the handle is the same: each search loads it once more.
      }
      lanes.searched(System.nanoTime() - start);
      return found;
    } catch (TokenException e) {
      lanes.searchAgain();
      // A missing or unfit health check key is a fault of the token. A new session may find the
      // key.
      throw e.fault() == Fault.NONE
          ? TokenException.fault(Fault.OBJECT, "health check: " + e.getMessage(), e)
          : e;
    }
  }

  /// Checks that the token has its objects, before the daemon reports one of them as missing.
  /// Always searches: a handle can outlive the objects, and an earlier search of another lane does
  /// not show the present state.
  ///
  /// @throws TokenException a fault, if the health check's key is missing, too, or is not usable
  void requireObjects() throws TokenException {
    OwnKey key = lanes.healthCheckKey();
    if (key == null) {
      return;
    }
    byte[] mac =
        session().sign(healthCheckObject(key), HealthCheck.ALGORITHM, HealthCheck.message());
    if (!MessageDigest.isEqual(mac, key.knownAnswer())) {
      throw TokenException.fault(Fault.WRONG_MAC, "the health check's MAC is wrong");
    }
  }

  /// Makes the lane unload a key before its next job, or within [Lanes#IDLE_LOOK]. Thread-safe.
  void evict(KeyObject key) {
    gone.add(key);
  }

  private void reopenIfAsked() {
    int wanted = lanes.reopenings();
    if (wanted != reopened) {
      reopened = wanted;
      closeSession();
    }
  }

  private void unloadGone() {
    for (KeyObject key = gone.poll(); key != null; key = gone.poll()) {
      Loaded known = handles.remove(key);
      TokenSession open = session;
      if (known != null && open != null) {
        try {
          open.unload(known.handle());
        } catch (TokenException | RuntimeException e) {
          // The copy ends with the session.
          log.atWarn()
              .addKeyValue("reason", e.getMessage())
              .log("A copy of a key was not unloaded");
          closeSession();
        }
      }
    }
  }

  private void closeSession() {
    handles.clear();
    healthCheckHandle = null;
    TokenSession open = session;
    session = null;
    if (open != null) {
      open.close();
    }
  }

  /// Whether a job runs for longer than a limit.
  boolean hangs(long nowNanos, long limitNanos) {
    return current != null && nowNanos - startedNanos > limitNanos;
  }

  /// Makes the lane end after its job, because another lane has replaced it.
  void retire() {
    retired = true;
  }

  boolean isRetired() {
    return retired;
  }

  /// Waits for the end of the lane.
  ///
  /// @return whether the lane ended within the limit
  boolean join(Duration limit) throws InterruptedException {
    Thread running = thread;
    return running == null || running.join(limit);
  }

  /// The running job, if its deadline has passed; null otherwise.
  @Nullable Job<?> overdue(long nowNanos) {
    Job<?> running = current;
    return running != null && running.isExpired(nowNanos) ? running : null;
  }

  /// The running job; null if the lane is idle.
  @Nullable Job<?> current() {
    return current;
  }

  /// Time of the token's last answer to this lane; before the first, of the replaced lane or of
  /// this lane's creation. A refusal that is no fault of the token is an answer, too.
  long lastAnswerNanos() {
    return lastAnswerNanos;
  }

  boolean hasSession() {
    return session != null;
  }

  boolean isBusy() {
    return current != null;
  }
}

package dev.hmacd.token;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.hmacd.key.MacAlgorithm;
import dev.hmacd.key.OwnKey;
import dev.hmacd.token.TokenException.Fault;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.Objects;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Health check of a token: the token computes the MAC of a known message under the probe key. The
/// check compares the MAC with the known answer, which was computed when the key was made. The
/// health status of the daemon comes from here, never from a flag.
///
/// Checks run on a fixed schedule, and after a fault from which a lane could not recover. A failed
/// check takes the token out of service. Then checks run one after the other, with a growing pause,
/// until the token recovers. After several failures, the module is finalized and initialised.
public final class HealthCheck implements AutoCloseable {
  public static final MacAlgorithm ALGORITHM = MacAlgorithm.HMAC_SHA_256;

  private static final byte[] MESSAGE = "hmacd probe".getBytes(StandardCharsets.UTF_8);

  /// Pause between a failed check and the next check: doubles up to [#LONGEST_PAUSE].
  private static final Duration FIRST_PAUSE = Duration.ofMillis(20);

  private static final Duration LONGEST_PAUSE = Duration.ofMillis(500);

  /// Number of correct checks that return a token to service after a wrong MAC. Another wrong MAC
  /// restarts the count. A check without an answer does not.
  private static final int RIGHT_AFTER_WRONG = 10;

  /// Number of consecutive failed checks after which the module is initialised again.
  private static final int FAILURES_BEFORE_REINITIALIZING = 5;

  private static final Logger log = LoggerFactory.getLogger(HealthCheck.class);

  private final Token token;
  private final Lanes lanes;
  private final CircuitBreaker circuit;
  private final Settings settings;
  private final Listener listener;
  private final ScheduledThreadPoolExecutor schedule = schedule();
  private final CountDownLatch firstSuccess = new CountDownLatch(1);

  /// Whether a check is scheduled because of a fault of a lane.
  private final AtomicBoolean suspected = new AtomicBoolean();

  private final AtomicBoolean reinitializing = new AtomicBoolean();
  private final Object reporting = new Object();

  /// Number of the latest check, from 1.
  @GuardedBy("reporting")
  private long asked;

  /// The latest check whose outcome was reported.
  @GuardedBy("reporting")
  private long lastReported;

  /// Number of correct checks that are still required to return the token to service.
  @GuardedBy("reporting")
  private int wanted;

  /// Number of consecutive failed checks.
  @GuardedBy("reporting")
  private int failures;

  @GuardedBy("reporting")
  private long downSinceNanos;

  @GuardedBy("reporting")
  private boolean reportedLost;

  /// The reason why the health check's object was not usable in this outage; null if it was usable.
  @GuardedBy("reporting")
  private @Nullable String objectsMissed;

  /// Written under the lock.
  private volatile @Nullable Boolean healthy;

  private volatile @Nullable OwnKey key;

  /// Schedule and time limits of health checks.
  ///
  /// @param interval between checks of a token in service
  /// @param limit time limit of a check
  /// @param lostAfter how long the token may be out of service until it is reported lost
  public record Settings(Duration interval, Duration limit, Duration lostAfter) {}

  /// Gets changes of the token's health. Called on any thread; must be quick.
  public interface Listener {
    /// Reports the first known health, and each change.
    void healthy(boolean is);

    /// The token did not recover in time. Called once in an outage, and never for a refused PIN: a
    /// new process would only try the PIN again.
    void lost();
  }

  public HealthCheck(Token token, Lanes lanes, Settings settings, Listener listener) {
    this.token = token;
    this.lanes = lanes;
    this.circuit = lanes.circuit();
    this.settings = settings;
    this.listener = listener;
    circuit.onTrouble(this::onTrouble);
  }

  private static ScheduledThreadPoolExecutor schedule() {
    var pool =
        new ScheduledThreadPoolExecutor(
            1, Thread.ofPlatform().name("hmacd-probe").daemon().factory());
    pool.setRemoveOnCancelPolicy(true);
    return pool;
  }

  public static byte[] message() {
    return MESSAGE.clone();
  }

  /// Starts the checks: the first at once, then one in each interval.
  public void start(OwnKey ownKey) {
    key = ownKey;
    lanes.useHealthCheckKey(ownKey);
    if (!circuit.isInService()) {
      synchronized (reporting) {
        downSinceNanos = System.nanoTime();
        report(false);
      }
      later(this::ask, Duration.ZERO);
    }
    var _ =
        schedule.scheduleAtFixedRate(
            this::askOnSchedule, 0, settings.interval().toMillis(), TimeUnit.MILLISECONDS);
  }

  private void askOnSchedule() {
    if (circuit.isInService()) {
      ask();
    } else {
      sayIfLost();
    }
  }

  /// Handles a fault from which a lane could not recover. The cause may be the token, or the
  /// operation.
  private void onTrouble(TokenException e) {
    switch (e.fault()) {
      case NONE -> {}
      case PIN -> {
        log.atError()
            .addKeyValue("token_serial", token.info().serial())
            .addKeyValue("reason", e.getMessage())
            .log("PIN refused or not usable: correct it, then send SIGHUP");
        synchronized (reporting) {
          report(false);
        }
      }
      case WRONG_MAC -> {
        synchronized (reporting) {
          wanted = RIGHT_AFTER_WRONG;
          takeOut();
        }
        askSoon();
      }
      case STALE, SESSION, LOGIN, OBJECT, CAPACITY, DEVICE, MODULE -> {
        // Out of service, a check is scheduled already, and the fault is that of a check.
        if (circuit.isInService()) {
          askSoon();
        }
      }
    }
  }

  private void askSoon() {
    lanes.searches().makeDue();
    if (key != null && suspected.compareAndSet(false, true)) {
      later(this::ask, Duration.ZERO);
    }
  }

  /// Allows a login again, after an operator has corrected the PIN.
  public void retryPin() {
    token.retryPin();
    if (circuit.isPinRefused()) {
      synchronized (reporting) {
        downSinceNanos = System.nanoTime(); // lost_after counts from now.
        circuit.allowPin();
      }
      later(this::ask, Duration.ZERO);
    }
  }

  private void later(Runnable what, Duration pause) {
    try {
      var _ = schedule.schedule(what, pause.toMillis(), TimeUnit.MILLISECONDS);
    } catch (RejectedExecutionException e) {
      log.atDebug().setCause(e).log("Health check not scheduled: the daemon is stopping");
    }
  }

  private void ask() {
    OwnKey probeKey = Objects.requireNonNull(key);
    byte[] knownAnswer = probeKey.knownAnswer();
    long question;
    synchronized (reporting) {
      asked++;
      question = asked;
    }
    suspected.set(false);
    lanes.checkHealth(
        probeKey,
        System.nanoTime() + settings.limit().toNanos(),
        new Completion<>() {
          @Override
          public void done(byte[] mac) {
            if (MessageDigest.isEqual(mac, knownAnswer)) {
              right(question);
            } else {
              log.atError()
                  .addKeyValue("token_serial", token.info().serial())
                  .log("The token computed a wrong MAC under the probe key");
              notRight(question, true, null);
            }
          }

          @Override
          public void failed(TokenException cause) {
            switch (cause.kind()) {
              case STOPPED -> {}
              // Is no fault of the token while it answers other calls.
              case LATE -> {
                if (!circuit.isInService()
                    || lanes.sinceLastAnswer() > settings.limit().toNanos()) {
                  notRight(question, false, cause);
                }
              }
              // BUSY and OWNER_BUSY cannot occur: a check bypasses the queue, and has no owner.
              case BUSY,
                  OWNER_BUSY,
                  UNAVAILABLE,
                  KEY_MISSING,
                  KEY_AMBIGUOUS,
                  KEY_UNFIT,
                  UNSUPPORTED ->
                  notRight(question, cause.fault() == Fault.WRONG_MAC, cause);
            }
          }
        });
  }

  /// Whether a later check has an outcome already. Outcomes arrive on several threads and in any
  /// order: one lane may hang while others answer. The outcome of the latest check counts.
  @GuardedBy("reporting")
  private boolean isOld(long question) {
    if (question < lastReported) {
      return true;
    }
    lastReported = question;
    return false;
  }

  /// Whether a check is the latest one. Only the outcome of the latest check schedules the next, so
  /// out of service one check runs at a time.
  @GuardedBy("reporting")
  private boolean isYoungest(long question) {
    return question == asked;
  }

  private void right(long question) {
    synchronized (reporting) {
      if (isOld(question) || circuit.isPinRefused()) {
        return;
      }
      failures = 0;
      if (wanted > 1) {
        wanted--;
        if (isYoungest(question)) {
          later(this::ask, FIRST_PAUSE);
        }
        return;
      }
      wanted = 0;
      reportedLost = false;
      objectsMissed = null;
      circuit.bringBack();
      report(true);
    }
    firstSuccess.countDown();
  }

  private void notRight(long question, boolean wrong, @Nullable TokenException cause) {
    synchronized (reporting) {
      if (isOld(question)) {
        return;
      }
      if (wrong) {
        wanted = RIGHT_AFTER_WRONG;
      }
      failures++;
      takeOut();
      if (cause != null && cause.fault() == Fault.OBJECT) {
        objectsMissed(String.valueOf(cause.getMessage()));
      }
      if (circuit.isPinRefused() || !isYoungest(question)) {
        return; // No check may run, or one is in flight.
      }
      boolean broken = cause != null && cause.fault() == Fault.MODULE;
      if (!wrong && (broken || failures % FAILURES_BEFORE_REINITIALIZING == 0)) {
        reinitialize();
      } else {
        later(this::ask, pause(failures));
      }
    }
  }

  @GuardedBy("reporting")
  private void takeOut() {
    if (circuit.isInService()) {
      downSinceNanos = System.nanoTime();
    }
    circuit.takeOut();
    report(false);
  }

  /// The token has lost its objects, or has other objects. Session copies of keys would still work
  /// after its recovery, even without their token objects.
  @GuardedBy("reporting")
  private void objectsMissed(String reason) {
    if (objectsMissed == null) {
      lanes.reopenSessions();
    }
    if (!reason.equals(objectsMissed)) {
      objectsMissed = reason;
      log.atError()
          .addKeyValue("token_serial", token.info().serial())
          .addKeyValue("reason", reason)
          .log("Health check key not usable on the token");
    }
  }

  private static Duration pause(int failures) {
    Duration doubled = FIRST_PAUSE.multipliedBy(1L << Math.min(failures - 1, 10));
    return doubled.compareTo(LONGEST_PAUSE) < 0 ? doubled : LONGEST_PAUSE;
  }

  /// Runs on a thread of its own, because C_Finalize may hang.
  private void reinitialize() {
    if (!reinitializing.compareAndSet(false, true)) {
      return;
    }
    var _ =
        Thread.ofPlatform()
            .name("hmacd-reinitialize")
            .daemon()
            .start(
                () -> {
                  try {
                    if (!token.reinitialize(() -> !circuit.isInService())) {
                      log.atError()
                          .addKeyValue("token_serial", token.info().serial())
                          .log("The PKCS#11 module cannot be finalized: a call hangs in it");
                    }
                  } catch (TokenException | RuntimeException e) {
                    log.atError()
                        .addKeyValue("token_serial", token.info().serial())
                        .addKeyValue("reason", e.getMessage())
                        .log("Reinitialization of the PKCS#11 module failed");
                  } finally {
                    reinitializing.set(false);
                    later(this::ask, LONGEST_PAUSE);
                  }
                });
  }

  private void sayIfLost() {
    synchronized (reporting) {
      if (reportedLost
          || circuit.isPinRefused()
          || System.nanoTime() - downSinceNanos < settings.lostAfter().toNanos()) {
        return;
      }
      reportedLost = true;
    }
    listener.lost();
  }

  @GuardedBy("reporting")
  private void report(boolean now) {
    boolean changed = !Objects.equals(healthy, now);
    healthy = now;
    if (changed) {
      listener.healthy(now);
    }
  }

  /// Whether the last check was successful.
  public boolean isHealthy() {
    return Boolean.TRUE.equals(healthy);
  }

  /// Whether the token refused its PIN. No check runs until an operator acts.
  public boolean isPinRefused() {
    return circuit.isPinRefused();
  }

  /// Waits for the first successful check.
  public boolean awaitHealthy(Duration atMost) throws InterruptedException {
    return firstSuccess.await(atMost.toMillis(), TimeUnit.MILLISECONDS);
  }

  @Override
  public void close() {
    schedule.shutdownNow();
  }
}

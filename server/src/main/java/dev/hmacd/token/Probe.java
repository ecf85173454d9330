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

/// Knows whether the token works by asking it: it has it compute the MAC of a known message under a
/// key of the daemon's own, and compares that with the answer that was computed once, when the key
/// was made. Health comes from here, never from a flag.
///
/// It asks on a fixed schedule, and when a lane has met what it could not heal. A question that is
/// not answered rightly takes the token out of service; then one is asked after the other, with a
/// growing pause, until the token is back. Where that does not help, the module is finalized and
/// initialised.
public final class Probe implements AutoCloseable {
  public static final MacAlgorithm ALGORITHM = MacAlgorithm.HMAC_SHA_256;

  private static final byte[] MESSAGE = "hmacd probe".getBytes(StandardCharsets.UTF_8);

  /// Between an answer that was not right and the next question: doubles up to the second.
  private static final Duration FIRST_PAUSE = Duration.ofMillis(20);

  private static final Duration LONGEST_PAUSE = Duration.ofMillis(500);

  /// How many right answers in a row bring a token back that gave a wrong one.
  private static final int RIGHT_AFTER_WRONG = 10;

  /// After how many questions in a row without an answer the module is initialised anew.
  private static final int FAILURES_BEFORE_REINITIALIZING = 5;

  private static final Logger log = LoggerFactory.getLogger(Probe.class);

  private final Token token;
  private final Lanes lanes;
  private final Circuit circuit;
  private final Settings settings;
  private final Listener listener;
  private final ScheduledThreadPoolExecutor schedule = schedule();
  private final CountDownLatch firstSuccess = new CountDownLatch(1);

  /// Whether a question waits that was asked because a lane met a fault.
  private final AtomicBoolean suspected = new AtomicBoolean();

  private final AtomicBoolean reinitializing = new AtomicBoolean();
  private final Object reporting = new Object();

  /// Questions are counted from 1.
  @GuardedBy("reporting")
  private long asked;

  /// The question whose outcome was reported last.
  @GuardedBy("reporting")
  private long lastReported;

  /// How many right answers are wanted before the token is back in service.
  @GuardedBy("reporting")
  private int wanted;

  /// Questions in a row that were not answered.
  @GuardedBy("reporting")
  private int failures;

  @GuardedBy("reporting")
  private long downSinceNanos;

  @GuardedBy("reporting")
  private boolean toldLost;

  /// Written under the lock.
  private volatile @Nullable Boolean healthy;

  private volatile @Nullable OwnKey key;

  /// How the probe asks.
  ///
  /// @param interval between questions to a token in service
  /// @param limit after which an answer counts as none
  /// @param lostAfter how long the token may be out of service until it is reported lost
  public record Settings(Duration interval, Duration limit, Duration lostAfter) {}

  /// Is told what becomes of the token. Called on any thread; must be quick.
  public interface Listener {
    /// Each change, the first answer included.
    void healthy(boolean is);

    /// It did not come back in time. Told once in an outage, and never for a PIN that was refused:
    /// a new process would only try it again.
    void lost();
  }

  public Probe(Token token, Lanes lanes, Settings settings, Listener listener) {
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

  /// Asks at once, and from then on at each interval.
  public void start(OwnKey ownKey) {
    key = ownKey;
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

  /// A lane met what it could not heal: it may be the token, or what was asked of it.
  private void onTrouble(TokenException e) {
    switch (e.fault()) {
      case NONE -> {}
      case PIN -> {
        log.atError()
            .addKeyValue("token_serial", token.info().serial())
            .addKeyValue("reason", e.getMessage())
            .log("The token refused its PIN: nothing is tried until it is mended, and SIGHUP");
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
        // Else a question is on its way, and was itself what failed.
        if (circuit.isInService()) {
          askSoon();
        }
      }
    }
  }

  private void askSoon() {
    if (key != null && suspected.compareAndSet(false, true)) {
      later(this::ask, Duration.ZERO);
    }
  }

  /// An operator has mended the PIN.
  public void retryPin() {
    token.retryPin();
    if (circuit.isPinRefused()) {
      synchronized (reporting) {
        downSinceNanos = System.nanoTime(); // Only from now on can it be lost.
        circuit.allowPin();
      }
      later(this::ask, Duration.ZERO);
    }
  }

  private void later(Runnable what, Duration pause) {
    try {
      var _ = schedule.schedule(what, pause.toMillis(), TimeUnit.MILLISECONDS);
    } catch (RejectedExecutionException e) {
      log.atDebug().setCause(e).log("Stopped, and nothing more is asked");
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
    lanes.ask(
        probeKey.object(),
        ALGORITHM,
        MESSAGE,
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
              // Says nothing of the token while others' calls are being answered.
              case BUSY, LATE -> {
                if (!circuit.isInService()
                    || lanes.sinceLastAnswer() > settings.limit().toNanos()) {
                  notRight(question, false, cause);
                }
              }
              case UNAVAILABLE, KEY_MISSING, KEY_AMBIGUOUS, KEY_UNFIT, UNSUPPORTED ->
                  notRight(question, cause.fault() == Fault.WRONG_MAC, cause);
            }
          }
        });
  }

  /// Outcomes come on several threads, and not in the order of the questions: one lane may hang
  /// while others answer. What counts is the youngest question that was answered.
  @GuardedBy("reporting")
  private boolean isOld(long question) {
    if (question < lastReported) {
      return true;
    }
    lastReported = question;
    return false;
  }

  /// Whether none was asked since: each outcome of the youngest brings the next, so that there is
  /// one at a time while the token is out of service.
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
      toldLost = false;
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
      if (circuit.isPinRefused() || !isYoungest(question)) {
        return; // Nothing more is asked, or a question is on its way already.
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

  private static Duration pause(int failures) {
    Duration doubled = FIRST_PAUSE.multipliedBy(1L << Math.min(failures - 1, 10));
    return doubled.compareTo(LONGEST_PAUSE) < 0 ? doubled : LONGEST_PAUSE;
  }

  /// On a thread of its own: the module may hang in it.
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
                        .log("The PKCS#11 module does not come back");
                  } finally {
                    reinitializing.set(false);
                    later(this::ask, LONGEST_PAUSE);
                  }
                });
  }

  private void sayIfLost() {
    synchronized (reporting) {
      if (toldLost
          || circuit.isPinRefused()
          || System.nanoTime() - downSinceNanos < settings.lostAfter().toNanos()) {
        return;
      }
      toldLost = true;
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

  /// Whether the last answer was right.
  public boolean isHealthy() {
    return Boolean.TRUE.equals(healthy);
  }

  /// Whether the token refused its PIN, so that nothing is asked until an operator acts.
  public boolean isPinRefused() {
    return circuit.isPinRefused();
  }

  /// Waits for the first right answer.
  public boolean awaitHealthy(Duration atMost) throws InterruptedException {
    return firstSuccess.await(atMost.toMillis(), TimeUnit.MILLISECONDS);
  }

  @Override
  public void close() {
    schedule.shutdownNow();
  }
}

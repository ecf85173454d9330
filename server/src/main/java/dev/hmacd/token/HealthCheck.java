package dev.hmacd.token;

import com.google.errorprone.annotations.ThreadSafe;
import dev.hmacd.key.DaemonKey;
import dev.hmacd.key.MacAlgorithm;
import dev.hmacd.log.ScheduledTask;
import dev.hmacd.token.TokenException.Fault;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.Objects;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Health check of a token: the token computes the MAC of a fixed message under the health check
/// key (probe key). The check compares the MAC with the known answer, which was computed when the
/// key was made. The health status of the daemon comes from health checks, never from a flag.
///
/// Checks run on a fixed schedule, and after a fault from which a lane could not recover. The
/// [HealthMachine] decides whether the token is healthy. This class runs the checks, and applies
/// the effects that the state machine returns. All effects except [HealthEffect.Immediate] are
/// applied in order, by one thread at a time, without a lock.
@ThreadSafe
@SuppressWarnings("ThreadSafe") // Its parts are thread-safe.
public final class HealthCheck implements AutoCloseable {
  public static final MacAlgorithm ALGORITHM = MacAlgorithm.HMAC_SHA_256;

  private static final byte[] MESSAGE = "hmacd probe".getBytes(StandardCharsets.UTF_8);
  private static final Logger log = LoggerFactory.getLogger(HealthCheck.class);

  private final Token token;
  private final Lanes lanes;
  private final CircuitBreaker circuit;
  private final Settings settings;
  private final Listener listener;
  private final HealthMachine machine;
  private final ScheduledThreadPoolExecutor schedule = schedule();
  private final CountDownLatch firstSuccess = new CountDownLatch(1);
  private final SerialExecutor effects = new SerialExecutor();
  private final ScheduledTask dueCheck =
      new ScheduledTask("due health check", () -> handle(new HealthEvent.CheckDue()));
  private final Object lock = new Object();

  /// Written under the lock.
  private volatile HealthState state;

  private volatile @Nullable DaemonKey key;

  /// Schedule and time limits of health checks.
  ///
  /// @param interval time between two checks of a token in service
  /// @param limit time limit of a check
  /// @param lostAfter time out of service after which the token is reported as lost
  public record Settings(Duration interval, Duration limit, Duration lostAfter) {}

  /// Gets changes of the token's health. Called on any thread, without a lock. Implementations must
  /// be thread-safe and must return quickly.
  public interface Listener {
    /// Reports the first known health, and each change.
    void healthy(boolean is);

    /// Reports that the token was out of service for longer than [Settings#lostAfter]. Called at
    /// most once in an outage, and never for a refused PIN or an unusable PIN file: a new process
    /// would only try the PIN again, or end.
    void lost();
  }

  /// @param lanes the token's lanes; their [FaultListener] must call [#laneFailed]
  public HealthCheck(Token token, Lanes lanes, Settings settings, Listener listener) {
    this.token = token;
    this.lanes = lanes;
    this.circuit = token.circuit();
    this.settings = settings;
    this.listener = listener;
    this.machine = new HealthMachine(settings.lostAfter());
    this.state = HealthState.initial(circuit.state());
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
  public void start(DaemonKey ownKey) {
    key = ownKey;
    lanes.useHealthCheckKey(ownKey);
    handle(new HealthEvent.ChecksStarted(System.nanoTime()));
    var _ =
        schedule.scheduleAtFixedRate(
            new ScheduledTask(
                "health check interval",
                () -> handle(new HealthEvent.IntervalElapsed(System.nanoTime()))),
            0,
            settings.interval().toMillis(),
            TimeUnit.MILLISECONDS);
  }

  /// Handles a fault from which a lane could not recover.
  void laneFailed(TokenException e) {
    if (e.isObjectLoss()) {
      handle(new HealthEvent.ObjectsLost(System.nanoTime()));
      return;
    }
    handle(
        new HealthEvent.LaneFailed(e.fault(), String.valueOf(e.getMessage()), System.nanoTime()));
  }

  /// Handles a failure to open the first session. The token is out of service until a check
  /// succeeds.
  void openFailed(TokenException e) {
    handle(
        new HealthEvent.OpenFailed(e.fault(), String.valueOf(e.getMessage()), System.nanoTime()));
  }

  /// Allows a login again, after an operator has corrected the PIN.
  public void retryPin() {
    token.retryPin();
    handle(new HealthEvent.PinCorrected(System.nanoTime()));
  }

  private void handle(HealthEvent event) {
    synchronized (lock) {
      HealthMachine.Transition transition = machine.next(state, event);
      state = transition.state();
      circuit.set(state.circuit());
      for (HealthEffect effect : transition.effects()) {
        if (effect instanceof HealthEffect.Immediate immediate) {
          apply(immediate);
        } else {
          effects.add(() -> apply(effect));
        }
      }
    }
    effects.run();
  }

  private void apply(HealthEffect effect) {
    switch (effect) {
      case HealthEffect.SearchForObject() -> lanes.searches().makeDue();
      case HealthEffect.ReopenSessions() -> lanes.reopenSessions();
      case HealthEffect.Check(var number) -> check(number);
      case HealthEffect.ScheduleCheck(var pause) -> scheduleCheck(pause);
      case HealthEffect.ReportHealth(var isHealthy) -> {
        listener.healthy(isHealthy);
        if (isHealthy) {
          firstSuccess.countDown();
        }
      }
      case HealthEffect.ReportLost() -> listener.lost();
      case HealthEffect.Reinitialize() -> reinitialize();
      case HealthEffect.LogPinRefused(var reason) ->
          log.atError()
              .addKeyValue("token_serial", token.info().serial())
              .addKeyValue("reason", reason)
              .log("PIN refused: correct the PIN, then send SIGHUP");
      case HealthEffect.LogPinFileFault(var reason) ->
          log.atError()
              .addKeyValue("token_serial", token.info().serial())
              .addKeyValue("reason", reason)
              .log("PIN file not usable: the daemon reads it again at each health check");
      case HealthEffect.LogObjectFault(var reason) ->
          log.atError()
              .addKeyValue("token_serial", token.info().serial())
              .addKeyValue("reason", reason)
              .log("Health check key not usable on the token");
    }
  }

  private void scheduleCheck(Duration pause) {
    try {
      var _ = schedule.schedule(dueCheck, pause.toMillis(), TimeUnit.MILLISECONDS);
    } catch (RejectedExecutionException e) {
      log.atDebug().setCause(e).log("Health check not scheduled: the daemon is stopping");
    }
  }

  private void check(long number) {
    DaemonKey probeKey = Objects.requireNonNull(key);
    lanes.checkHealth(
        probeKey,
        System.nanoTime() + settings.limit().toNanos(),
        new CheckCompletion(number, probeKey.knownAnswer()));
  }

  /// Maps the outcome of a check to a [HealthEvent].
  private final class CheckCompletion implements Completion<byte[]> {
    private final long number;
    private final byte[] knownAnswer;

    CheckCompletion(long number, byte[] knownAnswer) {
      this.number = number;
      this.knownAnswer = knownAnswer;
    }

    @Override
    public void done(byte[] mac) {
      if (MessageDigest.isEqual(mac, knownAnswer)) {
        handle(new HealthEvent.CheckSucceeded(number));
        return;
      }
      log.atError()
          .addKeyValue("token_serial", token.info().serial())
          .log("The token computed a wrong MAC under the health check key");
      lanes.wrongMacOfHealthCheck();
      handle(new HealthEvent.CheckFailed(number, Fault.WRONG_MAC, "wrong MAC", System.nanoTime()));
    }

    @Override
    public void failed(TokenException cause) {
      switch (cause.kind()) {
        case STOPPED -> {}
        case LATE -> {
          boolean othersAnswered = lanes.sinceLastAnswer() <= settings.limit().toNanos();
          handle(new HealthEvent.CheckTimedOut(number, othersAnswered, System.nanoTime()));
        }
        // BUSY, OWNER_BUSY and WITHDRAWN cannot occur: a check bypasses the bound of the queue,
        // and needs no authorization.
        case BUSY,
            OWNER_BUSY,
            WITHDRAWN,
            UNAVAILABLE,
            KEY_MISSING,
            KEY_AMBIGUOUS,
            KEY_UNFIT,
            UNSUPPORTED,
            MESSAGE_TOO_LONG ->
            handle(
                new HealthEvent.CheckFailed(
                    number, cause.fault(), String.valueOf(cause.getMessage()), System.nanoTime()));
      }
    }
  }

  /// Reinitializes the module on a separate thread, because C_Finalize may hang.
  private void reinitialize() {
    Runnable reinitialization =
        () -> {
          try {
            if (!token.reinitialize(() -> !circuit.isInService())) {
              log.atError()
                  .addKeyValue("token_serial", token.info().serial())
                  .log("PKCS#11 module not finalized: one of its calls hangs");
            }
          } catch (TokenException | RuntimeException | Error e) {
            log.atError()
                .addKeyValue("token_serial", token.info().serial())
                .addKeyValue("reason", e.getMessage())
                .log("Reinitialization of the PKCS#11 module failed");
          } finally {
            handle(new HealthEvent.ReinitializationEnded());
          }
        };
    var _ = Thread.ofPlatform().name("hmacd-reinitialize").daemon().start(reinitialization);
  }

  /// Whether the token is healthy, according to the last report to the listener.
  public boolean isHealthy() {
    return Boolean.TRUE.equals(state.healthy());
  }

  /// Whether the token refused its PIN. No check runs before an operator has corrected the PIN.
  public boolean isPinRefused() {
    return circuit.isPinRefused();
  }

  /// Waits until the token is healthy for the first time, or the time has elapsed.
  ///
  /// @return false if the time has elapsed
  public boolean awaitHealthy(Duration atMost) throws InterruptedException {
    return firstSuccess.await(atMost.toMillis(), TimeUnit.MILLISECONDS);
  }

  @Override
  public void close() {
    schedule.shutdownNow();
  }
}

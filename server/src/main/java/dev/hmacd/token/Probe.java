package dev.hmacd.token;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.hmacd.key.KeyObject;
import dev.hmacd.key.MacAlgorithm;
import dev.hmacd.key.OwnKey;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.Objects;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Knows whether the token works by asking it: on a fixed schedule it has it compute the MAC of a
/// known message under a key of the daemon's own, and compares that with the answer that was
/// computed once, when the key was made. Health comes from here, never from a flag.
public final class Probe implements AutoCloseable {
  public static final MacAlgorithm ALGORITHM = MacAlgorithm.HMAC_SHA_256;

  private static final byte[] MESSAGE = "hmacd probe".getBytes(StandardCharsets.UTF_8);
  private static final Logger log = LoggerFactory.getLogger(Probe.class);

  private final Lanes lanes;
  private final Duration interval;
  private final Duration limit;
  private final Consumer<Boolean> listener;
  private final ScheduledExecutorService schedule =
      Executors.newSingleThreadScheduledExecutor(
          Thread.ofPlatform().name("hmacd-probe").daemon().factory());
  private final CountDownLatch firstSuccess = new CountDownLatch(1);
  private final Object reporting = new Object();

  /// The question whose outcome was reported last; they are counted from 1.
  @GuardedBy("reporting")
  private long lastReported;

  /// Written under the lock.
  private volatile @Nullable Boolean healthy;

  /// Touched by the schedule's thread alone.
  private long asked;

  /// @param limit after which an answer counts as none
  /// @param listener is told each change, the first answer included
  public Probe(Lanes lanes, Duration interval, Duration limit, Consumer<Boolean> listener) {
    this.lanes = lanes;
    this.interval = interval;
    this.limit = limit;
    this.listener = listener;
  }

  public static byte[] message() {
    return MESSAGE.clone();
  }

  /// Asks at once, and from then on at each interval.
  public void start(OwnKey key) {
    var _ =
        schedule.scheduleAtFixedRate(
            () -> ask(key.object(), key.knownAnswer()),
            0,
            interval.toMillis(),
            TimeUnit.MILLISECONDS);
  }

  private void ask(KeyObject key, byte[] knownAnswer) {
    asked++;
    long question = asked;
    long deadline = System.nanoTime() + limit.toNanos();
    lanes.sign(
        key,
        ALGORITHM,
        MESSAGE,
        deadline,
        new Completion<>() {
          @Override
          public void done(byte[] mac) {
            boolean right = MessageDigest.isEqual(mac, knownAnswer);
            if (!right) {
              log.atError().log("The token computed a wrong MAC under the probe key");
            }
            report(question, right);
          }

          @Override
          public void failed(TokenException cause) {
            switch (cause.kind()) {
              case STOPPED -> {}
              // A full queue says nothing of the token while others' calls are being answered.
              case BUSY -> {
                if (lanes.sinceLastAnswer() > limit.toNanos()) {
                  report(question, false);
                }
              }
              case LATE, UNAVAILABLE, KEY_MISSING, KEY_AMBIGUOUS, KEY_UNFIT, UNSUPPORTED ->
                  report(question, false);
            }
          }
        });
  }

  /// Outcomes come on several threads, and not in the order of the questions: one lane may hang
  /// while others answer. What counts is the youngest question that was answered.
  private void report(long question, boolean now) {
    synchronized (reporting) {
      if (question < lastReported) {
        return;
      }
      lastReported = question;
      boolean changed = !Objects.equals(healthy, now);
      healthy = now;
      if (changed) {
        listener.accept(now);
      }
    }
    if (now) {
      firstSuccess.countDown();
    }
  }

  /// Whether the last answer was right.
  public boolean isHealthy() {
    return Boolean.TRUE.equals(healthy);
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

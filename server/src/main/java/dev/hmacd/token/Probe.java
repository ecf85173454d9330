package dev.hmacd.token;

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
  private volatile @Nullable Boolean healthy;

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
            report(right);
          }

          @Override
          public void failed(TokenException cause) {
            // A queue that is full says nothing of the token: calls are being answered.
            if (cause.kind() != TokenException.Kind.BUSY
                && cause.kind() != TokenException.Kind.STOPPED) {
              report(false);
            }
          }
        });
  }

  private void report(boolean now) {
    boolean changed = !Objects.equals(healthy, now);
    healthy = now;
    if (changed) {
      listener.accept(now);
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

package dev.hmacd.testing;

import java.time.Clock;
import java.time.Instant;
import java.time.ZoneId;
import java.time.ZoneOffset;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/// The clock of a daemon, with which a test blocks the registry's thread. The daemon reads its
/// clock on this thread once a second, in the check for due deletions.
public final class RegistryHold extends Clock {
  private static final String THREAD = "hmacd-registry";

  private volatile @Nullable Held held;

  /// The blocked thread. All operations of the registry wait until the release.
  public final class Held implements AutoCloseable {
    private final CountDownLatch entered = new CountDownLatch(1);
    private final CountDownLatch released = new CountDownLatch(1);

    public void release() {
      held = null;
      released.countDown();
    }

    @Override
    public void close() {
      release();
    }
  }

  /// Blocks the registry's thread. Returns when the thread is blocked.
  public Held block() {
    var next = new Held();
    held = next;
    await(next.entered);
    return next;
  }

  private static void await(CountDownLatch latch) {
    try {
      if (!latch.await(Eventually.LIMIT.toSeconds(), TimeUnit.SECONDS)) {
        throw new AssertionError("the registry's thread was not blocked, or not released");
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new AssertionError(e);
    }
  }

  @Override
  public Instant instant() {
    Held current = held;
    if (current != null && Thread.currentThread().getName().equals(THREAD)) {
      current.entered.countDown();
      await(current.released);
    }
    return Clock.systemUTC().instant();
  }

  @Override
  public ZoneId getZone() {
    return ZoneOffset.UTC;
  }

  @Override
  public Clock withZone(ZoneId zone) {
    throw new UnsupportedOperationException();
  }
}

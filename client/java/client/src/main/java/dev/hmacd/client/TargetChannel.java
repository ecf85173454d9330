package dev.hmacd.client;

import static java.util.concurrent.TimeUnit.MILLISECONDS;
import static java.util.concurrent.TimeUnit.NANOSECONDS;
import static java.util.concurrent.TimeUnit.SECONDS;

import io.grpc.Channel;
import io.grpc.ConnectivityState;
import io.grpc.ManagedChannel;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;

/// The channel to one target. While no address of the target can be connected, the channel connects
/// again after a back-off of at most 1 s. gRPC's own back-off grows to 2 minutes.
final class TargetChannel {
  private static final long FIRST_BACKOFF = MILLISECONDS.toNanos(100);
  private static final long MAX_BACKOFF = SECONDS.toNanos(1);

  private final ManagedChannel channel;
  private final ScheduledExecutorService timer;
  private final Set<Runnable> waiting = ConcurrentHashMap.newKeySet();
  private final AtomicBoolean reconnecting = new AtomicBoolean();

  TargetChannel(ManagedChannel channel, ScheduledExecutorService timer) {
    this.channel = channel;
    this.timer = timer;
  }

  /// Watches the connectivity of the channel from now on: wakes waiting tasks, or connects again.
  void watch() {
    ConnectivityState state = channel.getState(false);
    if (state == ConnectivityState.TRANSIENT_FAILURE) {
      if (reconnecting.compareAndSet(false, true)) {
        reconnectAfter(FIRST_BACKOFF);
      }
    } else {
      waiting.forEach(Runnable::run);
    }
    if (state != ConnectivityState.SHUTDOWN) {
      channel.notifyWhenStateChanged(state, this::watch);
    }
  }

  Channel channel() {
    return channel;
  }

  boolean isShutdown() {
    return channel.isShutdown();
  }

  /// Runs a task once: when the channel is not failing any more, or after a time.
  void awaitRecovery(long nanos, Runnable task) {
    var done = new AtomicBoolean();
    var once =
        new Runnable() {
          @Override
          public void run() {
            waiting.remove(this);
            if (done.compareAndSet(false, true)) {
              task.run();
            }
          }
        };
    waiting.add(once);
    schedule(nanos, once);
  }

  /// Closes the channel after its last call.
  void shutdown() {
    channel.shutdown();
  }

  /// Cancels the calls, and waits until the channel is closed.
  void closeNow(long timeout, TimeUnit unit) throws InterruptedException {
    channel.shutdownNow();
    channel.awaitTermination(timeout, unit);
  }

  private void reconnectAfter(long nanos) {
    schedule(
        nanos,
        () -> {
          if (channel.getState(false) == ConnectivityState.TRANSIENT_FAILURE) {
            channel.resetConnectBackoff();
            reconnectAfter(Math.min(2 * nanos, MAX_BACKOFF));
          } else {
            reconnecting.set(false);
          }
        });
  }

  private void schedule(long nanos, Runnable task) {
    try {
      var unused = timer.schedule(task, nanos, NANOSECONDS);
    } catch (RejectedExecutionException e) {
      task.run(); // The client is closed: the task ends.
    }
  }
}

package dev.hmacd.client;

import static java.util.concurrent.TimeUnit.NANOSECONDS;
import static java.util.concurrent.TimeUnit.SECONDS;

import com.google.errorprone.annotations.ThreadSafe;
import io.grpc.ManagedChannel;
import io.grpc.Status.Code;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.nio.NioIoHandler;
import io.netty.util.concurrent.DefaultThreadFactory;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReferenceArray;
import org.jspecify.annotations.Nullable;

/// The connections of a client: one channel for each target, the threads of all channels, and the
/// calls in flight.
///
/// A changed set of PEM files gives new channels. New calls use the new channels; an old channel
/// closes after its last call.
@ThreadSafe
final class Connections implements AutoCloseable {
  /// The failure of a call on a closed client.
  static final Failure CLOSED =
      Failure.local(ErrorReason.CLOSED, Code.UNAVAILABLE, "the client is closed");

  private static final long CLOSE_SECONDS = 5;

  private final List<Target> targets;
  private final @Nullable TlsFiles tls;
  private final AtomicReferenceArray<TargetChannel> channels;
  private final Set<Call<?, ?, ?>> inFlight = ConcurrentHashMap.newKeySet();
  private volatile boolean closing;
  private volatile boolean closed;

  // One thread does the I/O of a client, over TLS or a Unix socket: a daemon reaches its limit long
  // before this thread. NIO is part of the JDK, supports Unix sockets, and needs no native library.
  private final EventLoopGroup eventLoops =
      new MultiThreadIoEventLoopGroup(
          1, new DefaultThreadFactory("hmacd-client", true), NioIoHandler.newFactory());

  // Runs code of callers, so it must not run on the I/O thread.
  private final ExecutorService callbacks =
      Executors.newCachedThreadPool(new DefaultThreadFactory("hmacd-client-callback", true));

  /// @param tls the PEM files; null if each target is a Unix socket
  Connections(List<Target> targets, @Nullable TlsFiles tls) {
    this.targets = targets;
    this.tls = tls;
    this.channels = new AtomicReferenceArray<>(targets.size());
  }

  /// Opens the channels, which connect at their first call, and starts the check of the PEM files.
  ///
  /// @param fileInterval interval of the check
  void start(Duration fileInterval) {
    for (int target = 0; target < size(); target++) {
      channels.set(target, newChannel(target));
    }
    if (tls != null) {
      tls.start(fileInterval, this::renew);
    }
  }

  /// The number of targets.
  int size() {
    return targets.size();
  }

  /// The target as in the settings.
  String name(int target) {
    return targets.get(target).toString();
  }

  Target target(int target) {
    return targets.get(target);
  }

  /// The PEM files; null if each target is a Unix socket.
  @Nullable TlsFiles tls() {
    return tls;
  }

  TargetChannel channel(int target) {
    return channels.get(target);
  }

  /// The calls that have not ended.
  Set<Call<?, ?, ?>> inFlight() {
    return inFlight;
  }

  /// Runs callbacks of callers.
  ExecutorService callbacks() {
    return callbacks;
  }

  /// Whether new calls are refused.
  boolean isClosing() {
    return closing;
  }

  /// Whether the channels are closed, or about to be closed.
  boolean isClosed() {
    return closed;
  }

  /// Runs a task on the I/O thread after a time. On a closed client, the task runs at once.
  void schedule(long nanos, Runnable task) {
    try {
      var unused = eventLoops.schedule(task, nanos, NANOSECONDS);
    } catch (RejectedExecutionException e) {
      task.run();
    }
  }

  /// Reads the PEM files, and opens a new channel to a target, then runs a task. Does not open a
  /// second channel if another call has already replaced the channel.
  ///
  /// @param refused the channel whose credentials a daemon refused
  /// @param nanos after this time, the task runs even if the files are not read
  void reconnect(int target, TargetChannel refused, long nanos, Runnable afterwards) {
    var once = new AtomicBoolean();
    Runnable proceed =
        () -> {
          if (once.compareAndSet(false, true)) {
            afterwards.run();
          }
        };
    Runnable reopen =
        () -> {
          try {
            if (channel(target) == refused) {
              replace(target);
            }
          } finally {
            proceed.run();
          }
        };
    if (tls == null || channel(target) != refused) {
      reopen.run();
    } else {
      tls.readNow(reopen);
      schedule(
          nanos,
          () -> {
            tls.forget(reopen);
            proceed.run();
          });
    }
  }

  private void renew() {
    for (int target = 0; target < size(); target++) {
      if (targets.get(target) instanceof Target.HostPort) {
        replace(target);
      }
    }
  }

  private synchronized void replace(int target) {
    if (!closed) {
      channels.getAndSet(target, newChannel(target)).shutdown();
    }
  }

  /// A new channel to a target, with the PEM files in use.
  private TargetChannel newChannel(int target) {
    var channel = new TargetChannel(open(target), eventLoops);
    channel.watch();
    return channel;
  }

  /// Opens a channel to a target, with the PEM files in use, for the caller alone.
  ManagedChannel open(int target) {
    return Channels.open(targets.get(target), tls, eventLoops, callbacks);
  }

  /// Refuses new calls, waits up to 5 s for calls in flight, and cancels the others.
  @Override
  public void close() {
    closing = true;
    boolean interrupted = !awaitCalls();
    synchronized (this) {
      closed = true;
    }
    inFlight.forEach(call -> call.cancel(CLOSED));
    for (int target = 0; target < size(); target++) {
      try {
        channel(target).closeNow(CLOSE_SECONDS, SECONDS);
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    // Waits until the I/O thread has ended. Without this wait, the JVM waits 0.3 s at its end for a
    // thread that polls for I/O.
    eventLoops
        .shutdownGracefully(0, CLOSE_SECONDS, SECONDS)
        .awaitUninterruptibly(CLOSE_SECONDS, SECONDS);
    callbacks.shutdown();
    if (tls != null) {
      tls.close();
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  /// Waits for calls in flight.
  ///
  /// @return false if the thread was interrupted
  private boolean awaitCalls() {
    CompletableFuture<?>[] results =
        inFlight.stream().map(Call::result).toArray(CompletableFuture<?>[]::new);
    try {
      CompletableFuture.allOf(results).get(CLOSE_SECONDS, SECONDS);
    } catch (InterruptedException e) {
      return false;
    } catch (ExecutionException | TimeoutException e) {
      // A call has failed, or is cancelled now.
    }
    return true;
  }
}

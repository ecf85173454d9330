package dev.hmacd.transport;

import io.netty.channel.ChannelFactory;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.IoHandlerFactory;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.ServerChannel;
import io.netty.channel.epoll.Epoll;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.epoll.EpollServerSocketChannel;
import io.netty.channel.nio.NioIoHandler;
import io.netty.channel.socket.nio.NioServerSocketChannel;
import io.netty.util.concurrent.DefaultThreadFactory;
import io.netty.util.concurrent.EventExecutor;
import io.netty.util.internal.PlatformDependent;
import java.time.Duration;
import java.util.ArrayList;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/// The event-loop threads of all edges, one per processor, with native epoll where available.
public final class EventLoops implements AutoCloseable {
  /// Timeout of the graceful shutdown of the event loops.
  private static final Duration LAST_TASKS = Duration.ofSeconds(1);

  private final int count = Runtime.getRuntime().availableProcessors();
  private volatile @Nullable EventLoopGroup group;

  public void start() {
    IoHandlerFactory io = isEpoll() ? EpollIoHandler.newFactory() : NioIoHandler.newFactory();
    EventLoopGroup started =
        new MultiThreadIoEventLoopGroup(count, new DefaultThreadFactory("hmacd-io", true), io);
    group = started;
  }

  /// Whether the event loops use Linux's epoll, and so support Unix sockets.
  public static boolean isEpoll() {
    return Epoll.isAvailable();
  }

  /// The event-loop group with which channels are registered.
  ///
  /// @throws IllegalStateException before [#start]
  public EventLoopGroup group() {
    EventLoopGroup started = group;
    if (started == null) {
      throw new IllegalStateException("the event loops are not started: call start first");
    }
    return started;
  }

  /// The event loop of the calling thread.
  ///
  /// @throws IllegalStateException if the calling thread is not an event loop
  public EventExecutor current() {
    for (EventExecutor loop : group()) {
      if (loop.inEventLoop()) {
        return loop;
      }
    }
    throw new IllegalStateException(
        "the calling thread is not an event loop: " + Thread.currentThread().getName());
  }

  /// Returns a future that completes after each event loop has begun a new task. So all tasks that
  /// run now have ended then.
  public CompletableFuture<?> tasksBegun() {
    EventLoopGroup started = group;
    if (started == null || started.isShuttingDown()) {
      return CompletableFuture.completedFuture(null);
    }
    var all = new ArrayList<CompletableFuture<?>>();
    for (EventExecutor loop : started) {
      try {
        all.add(CompletableFuture.runAsync(() -> {}, loop));
      } catch (RejectedExecutionException e) {
        // The event loop has ended, and runs no task.
      }
    }
    return CompletableFuture.allOf(all.toArray(CompletableFuture[]::new));
  }

  /// The number of event loops.
  public int count() {
    return count;
  }

  /// Direct memory that Netty uses, in bytes; 0 if the JVM counts the direct memory instead of
  /// Netty.
  public static long directMemory() {
    return Math.max(0, PlatformDependent.usedDirectMemory());
  }

  /// The factory of TCP server channels.
  public static ChannelFactory<ServerChannel> tcp() {
    return isEpoll() ? EpollServerSocketChannel::new : NioServerSocketChannel::new;
  }

  @Override
  public void close() {
    EventLoopGroup started = group;
    if (started != null) {
      var _ = started.shutdownGracefully(0, LAST_TASKS.toMillis(), TimeUnit.MILLISECONDS);
    }
  }
}

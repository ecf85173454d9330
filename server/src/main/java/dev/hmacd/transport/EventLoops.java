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
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/// The threads that all edges take and answer calls on, one a processor: on native epoll where
/// there is one.
public final class EventLoops implements AutoCloseable {
  /// How long what was begun may take to end.
  private static final Duration LAST_TASKS = Duration.ofSeconds(1);

  private volatile @Nullable EventLoopGroup group;
  private volatile List<Here> here = List.of();

  public void start() {
    IoHandlerFactory io = isEpoll() ? EpollIoHandler.newFactory() : NioIoHandler.newFactory();
    EventLoopGroup started =
        new MultiThreadIoEventLoopGroup(
            Runtime.getRuntime().availableProcessors(),
            new DefaultThreadFactory("hmacd-io", true),
            io);
    List<Here> loops = new ArrayList<>();
    started.forEach(loop -> loops.add(new Here(loop)));
    here = List.copyOf(loops);
    group = started;
  }

  /// Whether they are Linux's, and so take Unix sockets too.
  public static boolean isEpoll() {
    return Epoll.isAvailable();
  }

  /// What channels are registered with.
  ///
  /// @throws IllegalStateException before [#start]
  public EventLoopGroup group() {
    EventLoopGroup started = group;
    if (started == null) {
      throw new IllegalStateException("event loops are not started");
    }
    return started;
  }

  /// What has things done on the event loop that this is called on; at once by who is there.
  ///
  /// @throws IllegalStateException when this is called elsewhere
  public Executor current() {
    for (Here loop : here) {
      if (loop.executor().inEventLoop()) {
        return loop;
      }
    }
    throw new IllegalStateException("not on an event loop");
  }

  /// An event loop that does at once what it is given there.
  private record Here(EventExecutor executor) implements Executor {
    @Override
    public void execute(Runnable task) {
      if (executor.inEventLoop()) {
        task.run();
      } else {
        executor.execute(task);
      }
    }
  }

  /// Makes channels that listen on TCP.
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

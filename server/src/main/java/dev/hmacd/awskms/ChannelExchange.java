package dev.hmacd.awskms;

import io.netty.channel.Channel;
import io.netty.util.concurrent.EventExecutor;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import org.jspecify.annotations.Nullable;

/// A request on a channel, from its first byte to its answer. Its fields belong to the event loop.
abstract class ChannelExchange implements Exchange {
  private final Channel channel;
  private final Intake intake;
  private final Body body = new Body();
  private boolean entered;
  private boolean ended;
  private @Nullable Runnable whenGone;

  /// @param channel the request's own: a connection's with HTTP/1.1, a stream's with HTTP/2
  ChannelExchange(Channel channel, Intake intake) {
    this.channel = channel;
    this.intake = intake;
  }

  /// Sends the answer. On the event loop.
  abstract void send(Response response);

  /// The TCP connection.
  abstract Channel connection();

  Body body() {
    return body;
  }

  /// Takes a part of the body in; whether there was room for it. What is too much is not taken: a
  /// connection that has to go for it may hold nothing, so its going alone makes no room.
  boolean hasRoomFor(int bytes) {
    if (intake.room().hold(bytes)
        || (intake.connections().evictOldestPending(connection())
            && !intake.room().isReserveUsed())) {
      return true;
    }
    intake.room().release(bytes);
    return false;
  }

  /// Hands over a request that has come whole.
  void begin(Request request) {
    if (intake.room().enter()) {
      entered = true;
      intake.requests().accept(request, this);
    } else {
      respond(Response.of(AwsError.throttled(), false));
    }
  }

  /// Counts out what this request held, since its answer is there or nobody waits for it.
  ///
  /// @return whether it was not counted out before
  private boolean isFirstEnd() {
    if (ended) {
      return false;
    }
    ended = true;
    intake.room().release(body.length());
    body.clear(); // Its channel may last longer.
    if (entered) {
      intake.room().left();
    }
    return true;
  }

  /// The connection, or the stream, has ended before the answer was there.
  void abandon() {
    if (isFirstEnd() && whenGone != null) {
      whenGone.run();
    }
  }

  @Override
  public final void whenGone(Runnable action) {
    whenGone = action;
  }

  @Override
  public final void respond(Response response) {
    EventExecutor loop = channel.eventLoop();
    if (loop.inEventLoop()) {
      finish(response);
    } else {
      try {
        loop.execute(() -> finish(response));
      } catch (RejectedExecutionException e) {
        // The event loops have ended, and with them the connection and all that is counted.
        return;
      }
    }
  }

  private void finish(Response response) {
    if (isFirstEnd()) {
      send(response);
    }
  }

  @Override
  public final boolean isGone() {
    return !channel.isActive();
  }

  @Override
  public final Executor executor() {
    return channel.eventLoop();
  }
}

package dev.hmacd.http;

import dev.hmacd.transport.Connections;
import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import io.netty.util.concurrent.EventExecutor;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/// A request on a Netty channel, from its first byte to its answer. Not thread-safe: all methods
/// must run on the channel's event loop, except [#respond], [#isGone] and [#executor].
abstract class NettyExchange implements Exchange {
  /// Heap and direct memory of a request without its header fields, body and answer, in bytes: the
  /// channel, the pipeline, the codec's stream, and the objects of this package.
  static final int REQUEST_BYTES = 4096;

  /// Heap of an answer without its body, in bytes: the header fields, the frames and their
  /// promises.
  static final int ANSWER_BYTES = 1024;

  /// Maximum size of a short body, in bytes. Most bodies are short: a message of 4096 bytes in
  /// base64, with the other JSON members.
  private static final int SHORT_BODY_BYTES = 8192;

  private final Channel channel;
  private final ServerContext server;
  private final ConnectionMemory memory;
  private final RequestBody body = new RequestBody();

  /// The owner of the request body: the connection's owner at the start of the request.
  private final Object owner;

  private Headers headers = new Headers();
  private long held;

  /// The principal whose quota counts this request; null if no quota counts it.
  private @Nullable Object admitted;

  /// Whether a connection was evicted in favour of this request.
  private boolean hasEvicted;

  private boolean entered;
  private boolean ended;
  private @Nullable Runnable whenGone;

  /// The answer before its release; null before the answer is available, and after its release.
  private @Nullable Supplier<@Nullable Response> answer;

  /// @param channel the channel of the request: the connection with HTTP/1.1, the stream with
  ///   HTTP/2
  NettyExchange(Channel channel, ServerContext server, ConnectionMemory memory) {
    this.channel = channel;
    this.server = server;
    this.memory = memory;
    this.owner = memory.owner();
    hold(REQUEST_BYTES);
  }

  /// Releases and sends the available answer, when the connection can send it. Must be called on
  /// the event loop.
  abstract void answerAvailable();

  /// The TCP connection.
  abstract Channel connection();

  final ServerContext server() {
    return server;
  }

  /// Returns the complete body, and clears the reference to it, so that no second copy stays in
  /// memory.
  final byte[] takeBody() {
    int before = body.heapBytes();
    byte[] taken = body.take();
    hold((long) taken.length - before);
    return taken;
  }

  /// The header fields; empty after the request is answered.
  Headers headers() {
    return headers;
  }

  /// Counts bytes of this request in the connection's memory, until [#release].
  final void hold(long bytes) {
    held += bytes;
    memory.add(bytes);
  }

  /// Releases the counted bytes of this request and its answer, after the answer is written or the
  /// client has disconnected.
  final void release() {
    hold(-held);
  }

  /// Adds a header field.
  ///
  /// @param name in lowercase
  void field(String name, String value) {
    int before = headers.heapBytes();
    headers.add(name, value);
    hold(headers.heapBytes() - before);
  }

  /// Appends a part of the request body, if the part is within the limits.
  ///
  /// @return the error for a refused request; null if the part of the body is within the bounds
  final @Nullable HttpError append(ByteBuf part) {
    if (!part.isReadable()) {
      return null;
    }
    if (body.length() + part.readableBytes() > server.limits().maxBodyBytes()) {
      return HttpError.BODY_TOO_LONG;
    }
    if (!tryCount(part.readableBytes())) {
      return HttpError.BUFFER_LIMIT;
    }
    int before = body.heapBytes();
    body.append(part);
    hold(body.heapBytes() - before);
    return null;
  }

  /// Counts a part of the request body in the [BodyBudget]. Returns false, and does not count the
  /// part, if the part exceeds the limits and the reserve. An eviction does not prove that memory
  /// is free, because the evicted connection may hold no body.
  private boolean tryCount(int bytes) {
    BodyBudget bodies = server.bounds().bodies();
    if (bodies.hold(owner, bytes)) {
      return true;
    }
    // Short bodies may use the reserve. After the eviction of a connection, any body may use it. So
    // long bodies of one principal neither exclude other principals nor end their connections.
    boolean isShort = body.length() + bytes <= SHORT_BODY_BYTES;
    if (isShort && !bodies.isReserveUsed(owner)) {
      return true;
    }
    // A short body evicts one connection at most, even if it arrives in many pieces.
    boolean isEvictedFor = isShort && hasEvicted;
    if (!memory.isAuthenticated()
        && (isEvictedFor || server.connections().evictOldestPending(connection()))) {
      hasEvicted = true;
      // Unfinished short bodies use up the reserve that all unauthenticated callers share. The
      // evicted connection may release its bytes later, on its own event loop, but a short body is
      // admitted at once. The option max_unauthenticated limits the number of unauthenticated short
      // bodies.
      boolean isFull = isShort ? bodies.isReserveUsed() : bodies.isReserveUsed(owner);
      if (!isFull) {
        return true;
      }
    }
    bodies.refuse(owner, bytes);
    return false;
  }

  /// Passes the complete request to the [HttpHandler], or refuses it at the limit of requests in
  /// flight.
  void begin(Request request) {
    if (server.bounds().limit().enter()) {
      entered = true;
      server.handler().handle(request, this);
    } else {
      respond(() -> server.handler().refuse(HttpError.REQUEST_LIMIT), 0);
    }
  }

  /// Ends this request after its answer or a disconnect: releases its body and its counts of
  /// requests in flight.
  ///
  /// @return false if the request has already ended
  private boolean isFirstEnd() {
    if (ended) {
      return false;
    }
    ended = true;
    server.bounds().bodies().release(owner, body.length());
    body.clear(); // The channel, and so this object, may live longer.
    headers = new Headers();
    if (entered) {
      server.bounds().limit().left();
    }
    if (admitted != null) {
      server.bounds().limit().dismiss(admitted);
    }
    return true;
  }

  /// Ends the request, because its connection or stream was closed before the answer.
  void abandon() {
    answer = null;
    Runnable action = whenGone;
    if (isFirstEnd() && action != null) {
      action.run();
    }
    whenGone = null;
  }

  @Override
  public final void whenGone(Runnable action) {
    whenGone = action;
  }

  @Override
  public boolean admit(Object principal) {
    memory.authenticated(principal);
    if (ended) {
      return false; // The client has disconnected.
    }
    if (server.bounds().limit().admit(principal)) {
      admitted = principal;
      return true;
    }
    return false;
  }

  @Override
  public final void respond(Supplier<@Nullable Response> release, int heldBytes) {
    EventExecutor loop = channel.eventLoop();
    if (loop.inEventLoop()) {
      hold(release, heldBytes);
    } else {
      try {
        loop.execute(() -> hold(release, heldBytes));
      } catch (RejectedExecutionException e) {
        // The event loops have ended, and all connections are closed.
        return;
      }
    }
  }

  /// Holds the answer until its release, on the event loop.
  private void hold(Supplier<@Nullable Response> release, int heldBytes) {
    if (!ended && answer == null) {
      hold(heldBytes);
      answer = release;
      answerAvailable();
    }
  }

  /// Releases the answer, in the task that hands the response to the transport.
  ///
  /// @return null if no answer is available, or if the request gets no answer
  final @Nullable Response releaseAnswer() {
    Supplier<@Nullable Response> release = answer;
    if (release == null || ended || !channel.isActive()) {
      return null; // A disconnect ends the request in a later task.
    }
    answer = null;
    Response response;
    try {
      response = release.get();
    } catch (RuntimeException e) { // Without an answer, the connection would wait for ever.
      Connections.closeAtOnce(connection());
      throw e;
    }
    if (response == null || !isFirstEnd()) {
      return null;
    }
    whenGone = null; // The runnable has a reference to the request.
    hold(REQUEST_BYTES + ANSWER_BYTES + (long) response.body().length - held);
    return response;
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

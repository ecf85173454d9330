package dev.hmacd.rpc;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import com.google.protobuf.MessageLite;
import dev.hmacd.access.Principal;
import dev.hmacd.usecase.CallObserver;
import dev.hmacd.usecase.Failure;
import dev.hmacd.usecase.Reply;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.Status;
import io.netty.util.internal.OutOfDirectMemoryError;
import java.time.Instant;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Ends a call: sends the answer, or maps the failure to a status. Every call ends exactly once, on
/// any thread.
final class Answer<A> implements Reply<A> {
  private static final Logger log = LoggerFactory.getLogger(Answer.class);

  /// A stream sends its next message when at most this many bytes are unsent: gRPC's threshold of
  /// `ServerCall.isReady`.
  private static final int ON_READY_BYTES = 32 << 10;

  private final ServerCall<?, A> call;
  private final String method;
  private final CallObserver observer;
  private final EncodeQueue queue;
  private final long startNanos = System.nanoTime();
  private final long deadlineNanos;
  private final AtomicBoolean ended = new AtomicBoolean();
  private volatile boolean abandoned;
  private volatile @Nullable Runnable whenEnded;

  /// Upper bound on the bytes of messages that the client may not have read yet.
  private volatile int untakenBytes;

  /// Only the event loop uses it.
  private Runnable measurement = () -> {};

  @GuardedBy("this")
  private boolean headersSent;

  /// @param deadlineNanos in [System#nanoTime]'s terms
  /// @param queue of the connection's event loop
  Answer(ServerCall<?, A> call, long deadlineNanos, CallObserver observer, EncodeQueue queue) {
    this.call = call;
    this.queue = queue;
    this.deadlineNanos = deadlineNanos;
    this.method = method(call);
    this.observer = observer;
  }

  private static String method(ServerCall<?, ?> call) {
    String name = call.getMethodDescriptor().getBareMethodName();
    return name == null ? "unknown" : name;
  }

  /// Size of a message in bytes. Protobuf caches it, and needs it for the encoding.
  private static int bytes(Object message) {
    return message instanceof MessageLite protobuf ? protobuf.getSerializedSize() : 0;
  }

  /// Upper bound on the bytes of messages that the client may not have read yet.
  int untakenBytes() {
    return untakenBytes;
  }

  /// A reply that encodes the outcome as a message on the connection's event loop, and then
  /// completes this answer. Its methods return before that on other threads.
  <T> Reply<T> from(Function<T, A> encode) {
    return new Reply<>() {
      @Override
      public void succeed(T value) {
        queue.submit(new Encoding<>(value, encode));
      }

      @Override
      public void fail(Failure failure) {
        queue.execute(() -> Answer.this.fail(failure));
      }

      @Override
      public boolean isAbandoned() {
        return Answer.this.isAbandoned();
      }
    };
  }

  /// As [#from], but encodes and sends the message before `succeed` returns, on the calling thread:
  /// for a secret that its owner then clears.
  <T> Reply<T> atOnceFrom(Function<T, A> encode) {
    return new Reply<>() {
      @Override
      public void succeed(T value) {
        var encoding = new Encoding<>(value, encode);
        try {
          int _ = encoding.encode();
        } catch (OutOfDirectMemoryError e) {
          encoding.exhausted();
        }
      }

      @Override
      public void fail(Failure failure) {
        Answer.this.fail(failure);
      }

      @Override
      public boolean isAbandoned() {
        return Answer.this.isAbandoned();
      }
    };
  }

  @Override
  public void succeed(A message) {
    queue.submit(new Encoding<>(message, Function.identity()));
  }

  private abstract class Turn implements EncodeQueue.Answering {
    @Override
    public void exhausted() {
      close(Statuses.of(new Failure.MemoryBusy(Failure.Bound.OF_ALL)));
    }

    @Override
    public Runnable measurement() {
      return measurement;
    }
  }

  /// A successful outcome that waits for its turn in the [EncodeQueue].
  private final class Encoding<T> extends Turn {
    private final T value;
    private final Function<T, A> encode;

    Encoding(T value, Function<T, A> encode) {
      this.value = value;
      this.encode = encode;
    }

    @Override
    public int encode() {
      if (ended.get()) {
        return -1;
      }
      A message;
      try {
        message = encode.apply(value);
      } catch (RuntimeException e) {
        fail(new Failure.Unforeseen(e));
        return -1;
      }
      return sendLast(message);
    }
  }

  /// Sends one message of a stream. Does nothing after the call has ended.
  synchronized void send(A message) {
    if (ended.get()) {
      return;
    }
    try {
      if (!headersSent) {
        headersSent = true;
        call.sendHeaders(new Metadata());
      }
      untakenBytes = ON_READY_BYTES + bytes(message);
      call.sendMessage(message);
    } catch (RuntimeException e) {
      log.atDebug().addKeyValue("method", method).setCause(e).log("A message was not sent");
    } catch (OutOfDirectMemoryError e) {
      fail(new Failure.MemoryBusy(Failure.Bound.OF_ALL));
    }
  }

  /// As [#send], in the turn of the [EncodeQueue]. Messages are sent in the order of the calls of
  /// this method, if all calls are on the event loop.
  void sendInTurn(A message) {
    queue.submit(
        new Turn() {
          @Override
          public int encode() {
            send(message);
            return bytes(message);
          }
        });
  }

  /// Runs a task on the connection's event loop: at once if the caller is on it.
  void onLoop(Runnable task) {
    queue.execute(task);
  }

  /// @return size of the message in bytes; -1 if the call has already ended
  private int sendLast(A message) {
    if (!end()) {
      return -1;
    }
    try {
      untakenBytes = bytes(message);
      call.sendHeaders(new Metadata());
      call.sendMessage(message);
      call.close(Status.OK, new Metadata());
      observer.ended(method, "OK", System.nanoTime() - startNanos);
    } catch (RuntimeException e) {
      lost(e);
    }
    return untakenBytes;
  }

  /// Sets an action that measures the connection's memory. It runs on the connection's event loop
  /// after the answer was written. Called on the event loop.
  void measurement(Runnable action) {
    measurement = action;
  }

  @Override
  public void fail(Failure failure) {
    if (!end()) {
      return;
    }
    if (failure instanceof Failure.Unforeseen(var cause)) {
      log.atError()
          .addKeyValue("method", method)
          .setCause(cause)
          .log("Unforeseen failure of a call");
    }
    close(Statuses.of(failure));
  }

  private void close(Statuses.Ending ending) {
    try {
      synchronized (this) { // Another thread may be sending.
        call.close(ending.status(), ending.trailers());
      }
      observer.ended(method, ending.reason(), System.nanoTime() - startNanos);
    } catch (RuntimeException e) {
      lost(e);
    }
  }

  /// Counts an answer that was not sent, because the stream had ended.
  private void lost(RuntimeException e) {
    log.atDebug().addKeyValue("method", method).setCause(e).log("An answer was not sent");
    observer.ended(method, "NOT_SENT", System.nanoTime() - startNanos);
  }

  private boolean end() {
    if (!ended.compareAndSet(false, true)) {
      return false;
    }
    Runnable action = whenEnded;
    if (action != null) {
      action.run();
    }
    return true;
  }

  /// Runs an action when the call ends, or at once if it has ended. The action may run twice.
  void whenEnded(Runnable action) {
    whenEnded = action;
    if (ended.get()) {
      action.run();
    }
  }

  /// The caller's principal, if the connection has a valid client identity at this time.
  Optional<Principal> authenticate(Instant now) {
    Peer peer = call.getAttributes().get(Peer.KEY);
    return peer == null ? Optional.empty() : peer.authenticate(now);
  }

  long ageNanos(long nowNanos) {
    return nowNanos - startNanos;
  }

  boolean isExpired(long nowNanos) {
    return nowNanos - deadlineNanos >= 0;
  }

  /// Whether the call has an outcome, or was cancelled by the client.
  boolean isEnded() {
    return ended.get();
  }

  void abandon() {
    abandoned = true;
    if (end()) {
      observer.ended(method, "CANCELLED", System.nanoTime() - startNanos);
    }
  }

  /// Ends a stream of messages with success.
  void finish() {
    if (!end()) {
      return;
    }
    try {
      synchronized (this) { // Another thread may be sending.
        call.close(Status.OK, new Metadata());
      }
      observer.ended(method, "OK", System.nanoTime() - startNanos);
    } catch (RuntimeException e) {
      lost(e);
    }
  }

  @Override
  public boolean isAbandoned() {
    return abandoned;
  }
}

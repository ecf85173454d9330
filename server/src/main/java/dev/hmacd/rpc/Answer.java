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
import java.time.Instant;
import java.util.Optional;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
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
  private final Executor loop;
  private final long startNanos = System.nanoTime();
  private final long deadlineNanos;
  private final AtomicBoolean ended = new AtomicBoolean();
  private volatile boolean abandoned;
  private volatile @Nullable Runnable whenEnded;

  /// An answer above this size triggers an immediate measurement of the connection's memory.
  private static final int LARGE_BYTES = 4096;

  /// Upper bound on the bytes of messages that the client may not have read yet.
  private volatile int untakenBytes;

  private volatile @Nullable Runnable whenLarge;

  @GuardedBy("this")
  private boolean headersSent;

  /// @param deadlineNanos in [System#nanoTime]'s terms
  /// @param loop the connection's event loop
  Answer(ServerCall<?, A> call, long deadlineNanos, CallObserver observer, Executor loop) {
    this.call = call;
    this.loop = loop;
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

  /// A reply that encodes the outcome as a message, and then completes this answer.
  <T> Reply<T> from(Function<T, A> encode) {
    return new Reply<>() {
      @Override
      public void succeed(T value) {
        A message;
        try {
          message = encode.apply(value);
        } catch (RuntimeException e) {
          Answer.this.fail(new Failure.Unforeseen(e));
          return;
        }
        Answer.this.succeed(message);
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
    }
  }

  /// As [#from], but encodes on the connection's event loop, so that the calling thread can take
  /// its next operation. `succeed` returns before the value is encoded.
  <T> Reply<T> onLoopFrom(Function<T, A> encode) {
    Reply<T> there = from(encode);
    return new Reply<>() {
      @Override
      public void succeed(T value) {
        onLoop(() -> there.succeed(value));
      }

      @Override
      public void fail(Failure failure) {
        onLoop(() -> there.fail(failure));
      }

      @Override
      public boolean isAbandoned() {
        return Answer.this.isAbandoned();
      }
    };
  }

  private void onLoop(Runnable task) {
    try {
      loop.execute(task);
    } catch (RejectedExecutionException e) {
      log.atDebug().setCause(e).log("An answer came when the event loops had ended");
    }
  }

  @Override
  public void succeed(A message) {
    if (!end()) {
      return;
    }
    try {
      untakenBytes = bytes(message);
      call.sendHeaders(new Metadata());
      call.sendMessage(message);
      call.close(Status.OK, new Metadata());
      tellIfLarge();
      observer.ended(method, "OK", System.nanoTime() - startNanos);
    } catch (RuntimeException e) {
      lost(e);
    }
  }

  /// Sets an action that runs on the connection's event loop after each large answer.
  void whenLarge(Runnable action) {
    whenLarge = action;
  }

  private void tellIfLarge() {
    Runnable action = whenLarge;
    if (action != null && untakenBytes > LARGE_BYTES) {
      onLoop(action);
    }
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
    Statuses.Ending ending = Statuses.of(failure);
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

package dev.hmacd.rpc;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.hmacd.access.Principal;
import dev.hmacd.mac.CallObserver;
import dev.hmacd.mac.Failure;
import dev.hmacd.mac.Reply;
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

/// The end of a call: sends the answer, or maps the failure. Every call ends in one of these, once,
/// on whatever thread has the outcome.
final class Answer<A> implements Reply<A> {
  private static final Logger log = LoggerFactory.getLogger(Answer.class);

  private final ServerCall<?, A> call;
  private final String method;
  private final CallObserver observer;
  private final Executor loop;
  private final long startNanos = System.nanoTime();
  private final long deadlineNanos;
  private final AtomicBoolean ended = new AtomicBoolean();
  private volatile boolean abandoned;
  private volatile @Nullable Runnable whenEnded;

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

  /// As this answer, for an outcome that is turned into the message first.
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

  /// Sends one of several messages, when the answer is a stream; none once it has ended.
  synchronized void send(A message) {
    if (ended.get()) {
      return;
    }
    try {
      if (!headersSent) {
        headersSent = true;
        call.sendHeaders(new Metadata());
      }
      call.sendMessage(message);
    } catch (RuntimeException e) {
      log.atDebug().addKeyValue("method", method).setCause(e).log("A message was not sent");
    }
  }

  /// As [#from], on the connection's event loop: who has the outcome is free for the next. The
  /// value is taken later than `succeed` returns.
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
      call.sendHeaders(new Metadata());
      call.sendMessage(message);
      call.close(Status.OK, new Metadata());
      observer.ended(method, "OK", System.nanoTime() - startNanos);
    } catch (RuntimeException e) {
      lost(e);
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
      synchronized (this) { // Somebody may be sending.
        call.close(ending.status(), ending.trailers());
      }
      observer.ended(method, ending.reason(), System.nanoTime() - startNanos);
    } catch (RuntimeException e) {
      lost(e);
    }
  }

  /// The stream ended while the answer was being sent; there is nobody left to tell.
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

  /// Has something done when the call ends, or at once if it has; perhaps twice.
  void whenEnded(Runnable action) {
    whenEnded = action;
    if (ended.get()) {
      action.run();
    }
  }

  /// The caller, if the connection stands for one now.
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

  /// Whether there is an outcome, or nobody left to tell.
  boolean isEnded() {
    return ended.get();
  }

  void abandon() {
    abandoned = true;
    if (end()) {
      observer.ended(method, "CANCELLED", System.nanoTime() - startNanos);
    }
  }

  /// The call has been ended with success by other means.
  void completed() {
    if (end()) {
      observer.ended(method, "OK", System.nanoTime() - startNanos);
    }
  }

  @Override
  public boolean isAbandoned() {
    return abandoned;
  }
}

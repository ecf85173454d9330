package dev.hmacd.rpc;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import com.google.protobuf.MessageLite;
import dev.hmacd.authn.Authentication;
import dev.hmacd.authn.Authenticator;
import dev.hmacd.authn.Credentials;
import dev.hmacd.usecase.Call;
import dev.hmacd.usecase.Failure;
import dev.hmacd.usecase.Outcome;
import dev.hmacd.usecase.ReleaseCheck;
import dev.hmacd.usecase.Reply;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.Status;
import io.netty.util.internal.OutOfDirectMemoryError;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Ends a gRPC call: sends the answer, or maps the failure to a status.
///
/// A [Call] concludes once, on any thread. Its answer is released on the connection's event loop,
/// in the task that hands the bytes to gRPC.
final class Answer<A> implements Reply<A> {
  /// Trailer with the request id.
  static final Metadata.Key<String> REQUEST_ID =
      Metadata.Key.of("x-request-id", Metadata.ASCII_STRING_MARSHALLER);

  private static final Logger log = LoggerFactory.getLogger(Answer.class);

  /// A stream sends its next message when at most this many bytes are unsent: gRPC's threshold of
  /// `ServerCall.isReady`.
  private static final int ON_READY_BYTES = 32 << 10;

  private final ServerCall<?, A> transport;
  private final Credentials credentials;
  private final Call call;
  private final EncodeQueue queue;
  private volatile boolean abandoned;
  private volatile @Nullable Runnable whenEnded;

  /// Upper bound on the bytes of messages that the client may not have read yet.
  private volatile int untakenBytes;

  /// Only the event loop uses it.
  private Runnable measurement = () -> {};

  @GuardedBy("this")
  private boolean headersSent;

  /// @param queue of the connection's event loop
  Answer(ServerCall<?, A> transport, Credentials credentials, Call call, EncodeQueue queue) {
    this.transport = transport;
    this.credentials = credentials;
    this.call = call;
    this.queue = queue;
  }

  /// Size of a message in bytes. Protobuf caches it, and needs it for the encoding.
  private static int bytes(Object message) {
    return message instanceof MessageLite protobuf ? protobuf.getSerializedSize() : 0;
  }

  /// Upper bound on the bytes of messages that the client may not have read yet.
  int untakenBytes() {
    return untakenBytes;
  }

  Call call() {
    return call;
  }

  /// A reply that encodes the outcome as a message on the connection's event loop, and then
  /// completes this answer. Its methods return before that on other threads.
  <T> Reply<T> from(Function<T, A> encode) {
    return new Reply<>() {
      @Override
      public void succeed(T value, ReleaseCheck check) {
        queue.submit(new Encoding<>(value, encode, check));
      }

      @Override
      public void fail(Failure failure, ReleaseCheck check) {
        queue.execute(() -> Answer.this.fail(failure, check));
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
      public void succeed(T value, ReleaseCheck check) {
        var encoding = new Encoding<>(value, encode, check);
        try {
          int _ = encoding.encode();
        } catch (OutOfDirectMemoryError e) {
          encoding.exhausted();
        }
      }

      @Override
      public void fail(Failure failure, ReleaseCheck check) {
        Answer.this.fail(failure, check);
      }

      @Override
      public boolean isAbandoned() {
        return Answer.this.isAbandoned();
      }
    };
  }

  @Override
  public void succeed(A message, ReleaseCheck check) {
    queue.submit(new Encoding<>(message, Function.identity(), check));
  }

  private abstract class Turn implements EncodeQueue.Answering {
    @Override
    public void exhausted() {
      var failed = new Outcome.Failed(new Failure.MemoryBusy(Failure.Bound.OF_ALL));
      boolean _ = call.conclude(failed); // It may have concluded with the answer.
      close(failed);
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
    private final ReleaseCheck check;

    Encoding(T value, Function<T, A> encode, ReleaseCheck check) {
      this.value = value;
      this.encode = encode;
      this.check = check;
    }

    @Override
    public int encode() {
      if (call.isConcluded()) {
        return -1;
      }
      A message;
      try {
        message = encode.apply(value);
      } catch (RuntimeException e) {
        Answer.this.fail(new Failure.Unforeseen(e));
        return -1;
      }
      return sendLast(message, check);
    }
  }

  /// Sends one message of a stream. Does nothing after the call has concluded.
  synchronized void send(A message) {
    if (call.isConcluded()) {
      return;
    }
    try {
      if (!headersSent) {
        headersSent = true;
        transport.sendHeaders(new Metadata());
      }
      untakenBytes = ON_READY_BYTES + bytes(message);
      transport.sendMessage(message);
    } catch (RuntimeException e) {
      log.atDebug()
          .addKeyValue("method", call.method().name())
          .addKeyValue("request_id", call.requestId())
          .setCause(e)
          .log("A message was not sent");
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

  /// @return size of the message in bytes; -1 if the call has concluded otherwise
  private int sendLast(A message, ReleaseCheck check) {
    Outcome released = call.release(Outcome.ANSWERED, check);
    if (released == null) {
      return -1;
    }
    leave();
    if (released instanceof Outcome.Failed failed) {
      close(failed);
      return -1;
    }
    try {
      untakenBytes = bytes(message);
      transport.sendHeaders(new Metadata());
      transport.sendMessage(message);
      transport.close(Status.OK, trailers());
      call.ended(Outcome.ANSWERED);
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
  public void fail(Failure failure, ReleaseCheck check) {
    if (call.release(new Outcome.Failed(failure), check) instanceof Outcome.Failed failed) {
      leave();
      close(failed);
    }
  }

  private void close(Outcome.Failed failed) {
    Failure failure = failed.failure();
    if (failure instanceof Failure.Unforeseen(var cause)) {
      log.atError()
          .addKeyValue("method", call.method().name())
          .addKeyValue("request_id", call.requestId())
          .setCause(cause)
          .log("Unforeseen failure of a call");
    }
    Statuses.Ending ending = Statuses.of(failure, call.requestId());
    ending.trailers().put(REQUEST_ID, call.requestId());
    try {
      synchronized (this) { // Another thread may be sending.
        transport.close(ending.status(), ending.trailers());
      }
      call.ended(failed);
    } catch (RuntimeException e) {
      lost(e);
    }
  }

  private Metadata trailers() {
    var trailers = new Metadata();
    trailers.put(REQUEST_ID, call.requestId());
    return trailers;
  }

  /// Counts an answer that was not sent, because the stream had ended.
  private void lost(RuntimeException e) {
    log.atDebug()
        .addKeyValue("method", call.method().name())
        .addKeyValue("request_id", call.requestId())
        .setCause(e)
        .log("An answer was not sent");
    call.ended(Outcome.NOT_SENT);
  }

  private void leave() {
    Runnable action = whenEnded;
    if (action != null) {
      action.run();
    }
  }

  /// Runs an action when the call concludes, or at once if it has. The action may run twice.
  void whenEnded(Runnable action) {
    whenEnded = action;
    if (call.isConcluded()) {
      action.run();
    }
  }

  /// Authenticates the call, and sets its principal.
  ///
  /// @return false if the credentials are not valid now
  boolean authenticate(Authenticator authenticator) {
    Authentication result = authenticator.authenticate(credentials);
    if (result instanceof Authentication.Authenticated(var principal)) {
      call.authenticated(principal);
      return true;
    }
    log.atDebug()
        .addKeyValue("method", call.method().name())
        .addKeyValue("request_id", call.requestId())
        .addKeyValue("reason", result)
        .log("Call not authenticated");
    return false;
  }

  /// Whether the call has an outcome, or was cancelled by the client.
  boolean isEnded() {
    return call.isConcluded();
  }

  void abandon() {
    abandoned = true;
    if (call.cancel()) {
      leave();
    }
  }

  /// Ends a stream of messages with success.
  void finish() {
    if (!call.conclude(Outcome.ANSWERED)) {
      return;
    }
    leave();
    try {
      synchronized (this) { // Another thread may be sending.
        transport.close(Status.OK, trailers());
      }
      call.ended(Outcome.ANSWERED);
    } catch (RuntimeException e) {
      lost(e);
    }
  }

  @Override
  public boolean isAbandoned() {
    return abandoned;
  }
}

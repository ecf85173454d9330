package dev.hmacd.rpc;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import com.google.protobuf.MessageLite;
import dev.hmacd.authn.Authentication;
import dev.hmacd.authn.Authenticator;
import dev.hmacd.authn.Credentials;
import dev.hmacd.usecase.Call;
import dev.hmacd.usecase.Failure;
import dev.hmacd.usecase.Outcome;
import dev.hmacd.usecase.Reauthorization;
import dev.hmacd.usecase.Reply;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.Status;
import io.netty.util.internal.OutOfDirectMemoryError;
import java.util.function.Consumer;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// The reply to a gRPC call: sends the response, or maps the failure to a status.
///
/// A [Call] concludes once, on any thread. The connection's event loop releases the response, in
/// the task that hands the bytes to gRPC.
final class GrpcReply<RespT> implements Reply<RespT> {
  /// Trailer with the request id.
  static final Metadata.Key<String> REQUEST_ID =
      Metadata.Key.of("x-request-id", Metadata.ASCII_STRING_MARSHALLER);

  private static final Logger log = LoggerFactory.getLogger(GrpcReply.class);

  /// gRPC's threshold of `ServerCall.isReady`: a stream sends its next message when fewer bytes are
  /// unsent.
  private static final int ON_READY_BYTES = 32 << 10;

  private final ServerCall<?, RespT> transport;
  private final Credentials credentials;
  private final Call call;
  private final ResponseEncodeQueue queue;
  private volatile boolean abandoned;
  private volatile @Nullable Runnable onEnd;

  /// Upper bound on the bytes of response messages that the client has not read yet.
  private volatile int unreadBytes;

  /// The action that measures the memory of the connection. Only the event loop uses this field.
  private Runnable measurement = () -> {};

  /// The check of the memory for responses; null until [#connected].
  private @Nullable ResponseMemory memory;

  @GuardedBy("this")
  private boolean headersSent;

  /// @param queue the queue of the connection's event loop
  GrpcReply(
      ServerCall<?, RespT> transport,
      Credentials credentials,
      Call call,
      ResponseEncodeQueue queue) {
    this.transport = transport;
    this.credentials = credentials;
    this.call = call;
    this.queue = queue;
  }

  /// Size of a message in bytes. Protobuf caches the size for the encoding.
  private static int bytes(Object message) {
    return message instanceof MessageLite protobuf ? protobuf.getSerializedSize() : 0;
  }

  /// Upper bound on the bytes of response messages that the client has not read yet.
  int unreadBytes() {
    return unreadBytes;
  }

  Call call() {
    return call;
  }

  /// A reply that encodes the result as a message on the connection's event loop, and then
  /// completes this reply. On other threads, the methods of the returned reply do not wait for the
  /// encoding.
  <T> Reply<T> encoding(Function<T, RespT> encode) {
    return new Reply<>() {
      @Override
      public void succeed(T value, Reauthorization check) {
        queue.submit(new LastMessage<>(value, encode, check));
      }

      @Override
      public void fail(Failure failure, Reauthorization check) {
        queue.execute(() -> GrpcReply.this.fail(failure, check));
      }

      @Override
      public boolean isAbandoned() {
        return GrpcReply.this.isAbandoned();
      }
    };
  }

  /// As [#encoding], but encodes and sends the message on the current thread, before `succeed`
  /// returns. Used for a secret that the use case clears after `succeed`.
  <T> Reply<T> encodingAtOnce(Function<T, RespT> encode) {
    return new Reply<>() {
      @Override
      public void succeed(T value, Reauthorization check) {
        var message = new LastMessage<>(value, encode, check);
        try {
          int _ = message.encode();
        } catch (OutOfDirectMemoryError e) {
          message.exhausted();
        }
      }

      @Override
      public void fail(Failure failure, Reauthorization check) {
        GrpcReply.this.fail(failure, check);
      }

      @Override
      public boolean isAbandoned() {
        return GrpcReply.this.isAbandoned();
      }
    };
  }

  @Override
  public void succeed(RespT message, Reauthorization check) {
    queue.submit(new LastMessage<>(message, Function.identity(), check));
  }

  /// A message in the [ResponseEncodeQueue].
  private abstract class QueuedResponse implements ResponseEncodeQueue.Response {
    @Override
    public void exhausted() {
      var busy = new Failure.MemoryBusy(Failure.Bound.OF_ALL);
      if (call.isConcluded()) { // gRPC found no memory, in spite of the check.
        close(new Outcome.Failed(busy));
      } else {
        GrpcReply.this.fail(busy);
      }
    }

    @Override
    public Runnable measurement() {
      return measurement;
    }
  }

  /// The last message of a call, in the [ResponseEncodeQueue].
  private final class LastMessage<T> extends QueuedResponse {
    private final T value;
    private final Function<T, RespT> encode;
    private final Reauthorization check;

    LastMessage(T value, Function<T, RespT> encode, Reauthorization check) {
      this.value = value;
      this.encode = encode;
      this.check = check;
    }

    @Override
    public int encode() {
      if (call.isConcluded()) {
        return -1;
      }
      RespT message;
      try {
        message = encode.apply(value);
      } catch (RuntimeException e) {
        GrpcReply.this.fail(new Failure.Unforeseen(e));
        return -1;
      }
      // The encoded message: the use case may have cleared the value.
      return sendLast(
          message,
          check,
          renewed -> queue.submit(new LastMessage<>(message, Function.identity(), renewed)));
    }
  }

  /// Sends one message of a stream. Does nothing after the call has concluded.
  synchronized void send(RespT message) {
    if (call.isConcluded()) {
      return;
    }
    try {
      requireMemory(message);
      if (!headersSent) {
        headersSent = true;
        transport.sendHeaders(new Metadata());
      }
      unreadBytes = ON_READY_BYTES + bytes(message);
      transport.sendMessage(message);
    } catch (RuntimeException e) {
      log.atDebug()
          .addKeyValue("method", call.method().name())
          .addKeyValue("request_id", call.requestId())
          .setCause(e)
          .log("Message of a response stream not sent");
    } catch (OutOfDirectMemoryError e) {
      fail(new Failure.MemoryBusy(Failure.Bound.OF_ALL));
    }
  }

  /// As [#send], but the [ResponseEncodeQueue] may delay the message. If all callers of this method
  /// run on the event loop, the messages keep the order of the calls.
  void sendQueued(RespT message) {
    queue.submit(
        new QueuedResponse() {
          @Override
          public int encode() {
            send(message);
            return bytes(message);
          }
        });
  }

  /// Runs a task on the connection's event loop: at once if the current thread is that event loop.
  void execute(Runnable task) {
    queue.execute(task);
  }

  /// @param again is called on any thread if the message must be sent later, with a new check
  /// @return size of the message in bytes; -1 if the message was not sent
  private int sendLast(RespT message, Reauthorization check, Consumer<Reauthorization> again) {
    requireMemory(message); // Before the release: the outcome is still open.
    Outcome released = release(Outcome.ANSWERED, check, again);
    if (released == null) {
      return -1;
    }
    if (released instanceof Outcome.Failed failed) {
      close(failed);
      return -1;
    }
    try {
      unreadBytes = bytes(message);
      transport.sendHeaders(new Metadata());
      transport.sendMessage(message);
      transport.close(Status.OK, trailers());
      call.ended(Outcome.ANSWERED);
    } catch (RuntimeException e) {
      notSent(e);
    }
    return unreadBytes;
  }

  /// @throws OutOfDirectMemoryError if no direct memory is left for the message
  private void requireMemory(RespT message) {
    ResponseMemory known = memory;
    if (known != null) {
      known.require(bytes(message));
    }
  }

  /// Sets the parts of the connection. Must be called on the connection's event loop, before the
  /// request is complete.
  ///
  /// @param action measures the connection's memory; runs on the event loop after the write of the
  ///   response
  /// @param responses checks the memory for responses
  void connected(Runnable action, @Nullable ResponseMemory responses) {
    measurement = action;
    memory = responses;
  }

  @Override
  public void fail(Failure failure, Reauthorization check) {
    if (release(
            new Outcome.Failed(failure),
            check,
            renewed -> queue.execute(() -> fail(failure, renewed)))
        instanceof Outcome.Failed failed) {
      close(failed);
    }
  }

  /// Releases the answer ([Call#release]). Closes the call with INTERNAL if the release throws.
  ///
  /// @return the outcome to send; null if the call has ended, or if `again` will be called
  private @Nullable Outcome release(
      Outcome intended, Reauthorization check, Consumer<Reauthorization> again) {
    Outcome released;
    try {
      released = call.release(intended, check, again);
    } catch (RuntimeException e) { // Without an end, the stream stays open until its deadline.
      runOnEnd();
      close(new Outcome.Failed(new Failure.Unforeseen(e)));
      return null;
    }
    if (released != null) {
      runOnEnd();
    }
    return released;
  }

  private void close(Outcome.Failed failed) {
    Failure failure = failed.failure();
    CertificateEnd.refused(transport.getAttributes(), failure);
    Statuses.StatusWithTrailers end = Statuses.of(failure, call.requestId());
    end.trailers().put(REQUEST_ID, call.requestId());
    try {
      synchronized (this) { // Another thread may be sending a message.
        transport.close(end.status(), end.trailers());
      }
      call.ended(failed);
    } catch (RuntimeException e) {
      notSent(e);
    }
  }

  private Metadata trailers() {
    var trailers = new Metadata();
    trailers.put(REQUEST_ID, call.requestId());
    return trailers;
  }

  /// Ends the call with the outcome NOT_SENT, because the stream had ended before the response.
  private void notSent(RuntimeException e) {
    log.atDebug()
        .addKeyValue("method", call.method().name())
        .addKeyValue("request_id", call.requestId())
        .setCause(e)
        .log("Response not sent: the stream had ended");
    call.ended(Outcome.NOT_SENT);
  }

  private void runOnEnd() {
    Runnable action = onEnd;
    if (action != null) {
      action.run();
    }
  }

  /// Runs an action when the call concludes, or at once if the call has concluded. The action may
  /// run twice.
  void onEnd(Runnable action) {
    onEnd = action;
    if (call.isConcluded()) {
      action.run();
    }
  }

  /// Authenticates the call, and sets its principal.
  ///
  /// @return false if the credentials are not valid now
  boolean authenticate(Authenticator authenticator) {
    Authentication result = authenticator.authenticate(credentials);
    if (result instanceof Authentication.Authenticated(var principal, var owner, var verified)) {
      call.authenticated(
          principal,
          owner,
          Reauthorization.of(
              () -> authenticator.isCurrent(verified), () -> authenticator.isValid(verified)));
      return true;
    }
    log.atDebug()
        .addKeyValue("method", call.method().name())
        .addKeyValue("request_id", call.requestId())
        .addKeyValue("reason", result)
        .log("Call not authenticated");
    return false;
  }

  /// Whether the call has an outcome, such as a cancellation by the client.
  boolean isEnded() {
    return call.isConcluded();
  }

  void abandon() {
    abandoned = true;
    if (call.cancel()) {
      runOnEnd();
    }
  }

  /// Ends a stream of messages with success.
  void finish() {
    if (!call.conclude(Outcome.ANSWERED)) {
      return;
    }
    runOnEnd();
    try {
      synchronized (this) { // Another thread may be sending a message.
        transport.close(Status.OK, trailers());
      }
      call.ended(Outcome.ANSWERED);
    } catch (RuntimeException e) {
      notSent(e);
    }
  }

  @Override
  public boolean isAbandoned() {
    return abandoned;
  }
}

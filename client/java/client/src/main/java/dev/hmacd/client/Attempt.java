package dev.hmacd.client;

import io.grpc.Attributes;
import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientCall;
import io.grpc.ClientStreamTracer;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.Status;
import org.jspecify.annotations.Nullable;

/// One attempt of a call: one gRPC call over one channel. It does not wait for a connection that
/// has just failed.
final class Attempt<Q, A> {
  private static final Metadata.Key<String> REQUEST_ID =
      Metadata.Key.of("x-request-id", Metadata.ASCII_STRING_MARSHALLER);

  /// Gets the outcome of an attempt, exactly once, on the executor of the call options.
  interface Outcome<A> {
    void answered(A answer, String requestId);

    void failed(FailedAttempt end);
  }

  private final ClientCall<Q, A> call;
  private volatile boolean started;
  private volatile boolean sent;

  Attempt(Channel channel, MethodDescriptor<Q, A> method, CallOptions options) {
    this.call = channel.newCall(method, options.withStreamTracerFactory(new Tracers()));
  }

  /// Sends the request. The outcome can come before this method returns.
  void start(Q request, Outcome<A> outcome) {
    call.start(new Listener(outcome), new Metadata());
    call.request(2); // The second one finds an excess answer.
    call.sendMessage(request);
    call.halfClose();
    started = true;
  }

  /// Cancels the attempt; no effect until [#start] has returned.
  void cancel(String why) {
    if (started) { // gRPC throws an exception if a call is cancelled while it starts.
      call.cancel(why, /* cause= */ null);
    }
  }

  /// Whether a daemon may have received the request.
  boolean sent() {
    return sent;
  }

  private final class Listener extends ClientCall.Listener<A> {
    private final Outcome<A> outcome;
    private @Nullable A answer;

    Listener(Outcome<A> outcome) {
      this.outcome = outcome;
    }

    @Override
    public void onMessage(A message) {
      answer = message;
    }

    @Override
    public void onClose(Status status, Metadata trailers) {
      A received = answer;
      if (status.isOk() && received != null) {
        outcome.answered(received, requestId(trailers));
      } else {
        outcome.failed(failure(status, trailers));
      }
    }

    private FailedAttempt failure(Status status, Metadata trailers) {
      Status failure =
          status.isOk() ? Status.INTERNAL.withDescription("the answer has no message") : status;
      try {
        return FailedAttempt.of(failure, trailers, sent, requestId(trailers));
      } catch (RuntimeException e) { // Without an outcome, the call would never end.
        return FailedAttempt.unexpected(e, sent);
      }
    }

    private static String requestId(Metadata trailers) {
      String requestId = trailers.get(REQUEST_ID);
      return requestId == null ? "" : Failure.oneLine(requestId);
    }
  }

  /// Finds out whether the request was given to a connection.
  private final class Tracers extends ClientStreamTracer.Factory {
    @Override
    public ClientStreamTracer newClientStreamTracer(
        ClientStreamTracer.StreamInfo info, Metadata headers) {
      return new ClientStreamTracer() {
        @Override
        public void streamCreated(Attributes transport, Metadata headers) {
          sent = true;
        }
      };
    }
  }
}

package dev.hmacd.rpc;

import dev.hmacd.authn.Authenticator;
import dev.hmacd.usecase.Call;
import dev.hmacd.usecase.CallPipeline;
import dev.hmacd.usecase.Edge;
import dev.hmacd.usecase.Method;
import io.grpc.Context;
import io.grpc.Deadline;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;

/// Creates the [Call] and the [GrpcReply] of each gRPC request. All calls share the components.
///
/// @param maxWait default and maximum deadline of a call
/// @param encodeQueue returns the [ResponseEncodeQueue] of the calling thread's event loop
record CallStarter(
    Authenticator authenticator,
    Duration maxWait,
    IncompleteRequests incompleteRequests,
    CallPipeline pipeline,
    Supplier<ResponseEncodeQueue> encodeQueue) {
  private static final Metadata.Key<String> TRACE_PARENT =
      Metadata.Key.of("traceparent", Metadata.ASCII_STRING_MARSHALLER);

  /// Creates a call and its reply. Must be called on the event loop of the connection. The new call
  /// is not authenticated yet.
  <RespT> GrpcReply<RespT> start(ServerCall<?, RespT> transport, Metadata headers, Method method) {
    Call call = pipeline.begin(Edge.GRPC, method, headers.get(TRACE_PARENT), deadlineNanos());
    return new GrpcReply<>(
        transport, TransportCredentials.of(transport.getAttributes()), call, encodeQueue.get());
  }

  /// The deadline of the call that starts on this thread, as a value of [System#nanoTime].
  private long deadlineNanos() {
    long limit = maxWait.toNanos();
    Deadline deadline = Context.current().getDeadline();
    if (deadline != null) {
      limit = Math.min(limit, deadline.timeRemaining(TimeUnit.NANOSECONDS));
    }
    return System.nanoTime() + limit;
  }
}

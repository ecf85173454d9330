package dev.hmacd.rpc;

import com.google.errorprone.annotations.ThreadSafe;
import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.hmacd.mac.Failure;
import io.grpc.ForwardingServerCall.SimpleForwardingServerCall;
import io.grpc.ForwardingServerCallListener.SimpleForwardingServerCallListener;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor.MethodType;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.Status;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/// Calls that last until their callers end them, such as health's Watch: a stop would wait for
/// them, so it ends them itself.
@ThreadSafe
final class Streams implements ServerInterceptor {
  private final Set<Stream<?, ?>> open = ConcurrentHashMap.newKeySet();
  private volatile boolean stopping;

  @Override
  public <Q, A> ServerCall.Listener<Q> interceptCall(
      ServerCall<Q, A> call, Metadata headers, ServerCallHandler<Q, A> next) {
    if (call.getMethodDescriptor().getType() == MethodType.UNARY) {
      return next.startCall(call, headers);
    }
    var stream = new Stream<>(call);
    open.add(stream);
    if (stopping) {
      stream.stop();
    }
    return new SimpleForwardingServerCallListener<>(next.startCall(stream, headers)) {
      @Override
      public void onComplete() {
        open.remove(stream);
        super.onComplete();
      }

      @Override
      public void onCancel() {
        open.remove(stream);
        super.onCancel();
      }
    };
  }

  /// Ends those that are open, and those that are yet to come.
  void stop() {
    stopping = true;
    open.forEach(Stream::stop);
  }

  /// A call that the server may end while its method is sending.
  private static final class Stream<Q, A> extends SimpleForwardingServerCall<Q, A> {
    @GuardedBy("this")
    private boolean closed;

    Stream(ServerCall<Q, A> call) {
      super(call);
    }

    @Override
    public synchronized void sendHeaders(Metadata headers) {
      if (!closed) {
        super.sendHeaders(headers);
      }
    }

    @Override
    public synchronized void sendMessage(A message) {
      if (!closed) {
        super.sendMessage(message);
      }
    }

    @Override
    public synchronized void close(Status status, Metadata trailers) {
      if (!closed) {
        closed = true;
        super.close(status, trailers);
      }
    }

    void stop() {
      Statuses.Ending ending = Statuses.of(new Failure.Stopping());
      close(ending.status(), ending.trailers());
    }
  }
}

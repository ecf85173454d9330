package dev.hmacd.client;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.Int32Value;
import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientCall;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.Status;
import java.io.InputStream;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/// The end of an attempt, over a channel of the test. The server of gRPC sends no request id with
/// control characters.
class AttemptTest {
  @Test
  void requestIdOfAPeerHasNoControlCharacters() {
    assertThat(end(trailers("id-1\u001b[31m\nforged")).requestId()).isEqualTo("id-1 [31m forged");
    assertThat(end(new Metadata()).requestId()).isEmpty();
  }

  /// Without an outcome, the call would never end.
  @Test
  void unexpectedExceptionIsAFailure() {
    var failing =
        new Metadata.BinaryStreamMarshaller<String>() {
          @Override
          public InputStream toStream(String value) {
            throw new IllegalStateException(value);
          }

          @Override
          public String parseStream(InputStream stream) {
            throw new IllegalStateException("the client does not use this key");
          }
        };
    var trailers = new Metadata();
    trailers.put(Metadata.Key.of("grpc-status-details-bin", failing), "an exception of the test");
    FailedAttempt end = end(trailers);
    assertThat(end.failure().reason()).isEqualTo(ErrorReason.UNKNOWN);
    assertThat(end.failure().status().getCause()).isInstanceOf(IllegalStateException.class);
  }

  private static Metadata trailers(String requestId) {
    var trailers = new Metadata();
    trailers.put(Metadata.Key.of("x-request-id", Metadata.ASCII_STRING_MARSHALLER), requestId);
    return trailers;
  }

  private static FailedAttempt end(Metadata trailers) {
    var end = new CompletableFuture<FailedAttempt>();
    new Attempt<>(new Closing(trailers), HealthService.CHECK, CallOptions.DEFAULT)
        .start(
            HealthService.request(""),
            new Attempt.Outcome<Int32Value>() {
              @Override
              public void answered(Int32Value answer, String requestId) {
                throw new AssertionError("there is no answer");
              }

              @Override
              public void failed(FailedAttempt failed) {
                end.complete(failed);
              }
            });
    return end.join(); // Does not wait: each call ends at its start.
  }

  /// Closes each call at its start.
  private static final class Closing extends Channel {
    private final Metadata trailers;

    Closing(Metadata trailers) {
      this.trailers = trailers;
    }

    @Override
    public <Q, A> ClientCall<Q, A> newCall(MethodDescriptor<Q, A> method, CallOptions options) {
      return new ClientCall<Q, A>() {
        @Override
        public void start(Listener<A> listener, Metadata headers) {
          listener.onClose(Status.UNAVAILABLE, trailers);
        }

        @Override
        public void request(int messages) {}

        @Override
        public void cancel(@Nullable String message, @Nullable Throwable cause) {}

        @Override
        public void halfClose() {}

        @Override
        public void sendMessage(Q message) {}
      };
    }

    @Override
    public String authority() {
      return "localhost";
    }
  }
}

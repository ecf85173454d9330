package dev.hmacd.awskms;

import com.fasterxml.jackson.core.JsonGenerator;
import dev.hmacd.http.Exchange;
import dev.hmacd.http.Response;
import dev.hmacd.usecase.CallObserver;
import dev.hmacd.usecase.Failure;
import dev.hmacd.usecase.Reply;
import java.io.IOException;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// The reply to a request: sends the output, or maps the failure. Every complete request within the
/// limit on requests ends here once, on any thread.
final class Answer {
  private static final Logger log = LoggerFactory.getLogger(Answer.class);
  private static final byte[] NO_BODY = {};

  /// Writes the members of an operation's output.
  interface Encoder<T> {
    void write(JsonGenerator json, T value) throws IOException;
  }

  private final String operation;
  private final Exchange exchange;
  private final Failures failures;
  private final CallObserver observer;
  private final String requestId = RequestId.random();
  private final long startNanos = System.nanoTime();
  private final AtomicBoolean ended = new AtomicBoolean();

  /// The input of the operation; null until it is read.
  private volatile @Nullable Input input;

  /// The next step of a request that waits; null if none waits, or the client is gone.
  private volatile @Nullable Runnable waiting;

  /// @param operation name of the operation; `unknown` if it does not exist
  Answer(String operation, Exchange exchange, Failures failures, CallObserver observer) {
    this.operation = operation;
    this.exchange = exchange;
    this.failures = failures;
    this.observer = observer;
    exchange.whenGone(this::abandon);
  }

  void about(Input read) {
    input = read;
  }

  /// Returns a runnable for a later step, which does nothing if the client is gone. After that it
  /// has no reference to the request, whose memory no longer counts then. One step at a time.
  Runnable unlessAbandoned(Runnable step) {
    waiting = step;
    return () -> {
      Runnable next = waiting;
      waiting = null;
      if (next != null) {
        next.run();
      }
    };
  }

  /// The reply of a use case whose result is the output of the operation.
  <T> Reply<T> json(Encoder<T> encoder) {
    return new End<>() {
      @Override
      public void succeed(T value) {
        byte[] body;
        try {
          body = Json.object(json -> encoder.write(json, value));
        } catch (RuntimeException e) {
          fail(new Failure.Unforeseen(e));
          return;
        }
        send(200, body, "OK");
      }
    };
  }

  /// The reply of a use case of an operation without an output.
  <T> Reply<T> empty() {
    return new End<>() {
      @Override
      public void succeed(T value) {
        send(200, NO_BODY, "OK");
      }
    };
  }

  void fail(Failure failure) {
    if (failure instanceof Failure.Unforeseen(var cause)) {
      log.atError()
          .addKeyValue("operation", operation)
          .addKeyValue("request_id", requestId)
          .setCause(cause)
          .log("Unforeseen failure of a request");
    }
    refuse(failures.of(failure, operation, input));
  }

  void refuse(AwsError error) {
    send(error.status(), error.json(), error.code());
  }

  private void send(int status, byte[] body, String reason) {
    if (ended.compareAndSet(false, true)) {
      exchange.respond(new Response(status, body, requestId));
      observer.ended(operation, reason, System.nanoTime() - startNanos);
    }
  }

  private void abandon() {
    waiting = null;
    if (ended.compareAndSet(false, true)) {
      observer.ended(operation, "CANCELLED", System.nanoTime() - startNanos);
    }
  }

  private abstract class End<T> implements Reply<T> {
    @Override
    public void fail(Failure failure) {
      Answer.this.fail(failure);
    }

    @Override
    public boolean isAbandoned() {
      return exchange.isGone();
    }
  }
}

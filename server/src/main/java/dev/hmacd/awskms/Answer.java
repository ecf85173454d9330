package dev.hmacd.awskms;

import com.fasterxml.jackson.core.JsonGenerator;
import dev.hmacd.mac.CallObserver;
import dev.hmacd.mac.Failure;
import dev.hmacd.mac.Reply;
import java.io.IOException;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// The end of a request: sends the answer, or maps the failure. Every request that came whole ends
/// in one of these, once, on whatever thread has the outcome.
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
  private final String requestId = Response.newRequestId();
  private final long startNanos = System.nanoTime();
  private final AtomicBoolean ended = new AtomicBoolean();

  /// What the request says, once it was read.
  private volatile @Nullable Input input;

  /// @param operation its name; `unknown` when there is no such operation
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

  /// The end of a use case whose outcome is the operation's output.
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

  /// The end of a use case of an operation without an output.
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
    send(error.status(), Response.body(error), error.code());
  }

  private void send(int status, byte[] body, String reason) {
    if (ended.compareAndSet(false, true)) {
      exchange.respond(new Response(status, body, requestId, false));
      observer.ended(operation, reason, System.nanoTime() - startNanos);
    }
  }

  private void abandon() {
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

package dev.hmacd.awskms;

import com.fasterxml.jackson.core.JsonGenerator;
import dev.hmacd.http.Exchange;
import dev.hmacd.http.Response;
import dev.hmacd.usecase.Call;
import dev.hmacd.usecase.Failure;
import dev.hmacd.usecase.Outcome;
import dev.hmacd.usecase.Reauthorization;
import dev.hmacd.usecase.Reply;
import java.io.IOException;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/// The reply to an AWS KMS request: sends the output of the operation, or maps the failure to an
/// error of AWS. Callers must complete each reply exactly once, unless the client disconnects
/// before. Any thread may complete a reply. The [Reauthorization] of a response runs on the event
/// loop of the connection.
final class AwsReply {
  private static final byte[] NO_BODY = {};

  /// Writes the members of an operation's output as JSON.
  interface Encoder<T> {
    void write(JsonGenerator json, T value) throws IOException;
  }

  private final Call call;
  private final Exchange exchange;
  private final AwsErrors errors;

  /// The input of the operation; null until it is read.
  private volatile @Nullable OperationInput input;

  /// The next step of a request that waits, e.g. for a signing key. Null if no step waits, or if
  /// the client has disconnected.
  private volatile @Nullable Runnable waiting;

  AwsReply(Call call, Exchange exchange, AwsErrors errors) {
    this.call = call;
    this.exchange = exchange;
    this.errors = errors;
    exchange.whenGone(this::abandon);
  }

  /// Sets the input of the operation, for error messages.
  void inputRead(OperationInput read) {
    input = read;
  }

  /// Returns a runnable for a later step of the request. The runnable does nothing if the client
  /// has disconnected. After a disconnect, the runnable has no reference to the step, so the memory
  /// of the request can be freed. At most one step of a request waits at a time.
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

  /// A reply that sends the result of the use case as the output of the operation.
  <T> Reply<T> json(Encoder<T> encoder) {
    return new UseCaseReply<>() {
      @Override
      public void succeed(T value, Reauthorization check) {
        byte[] body;
        try {
          body = JsonWriter.object(json -> encoder.write(json, value));
        } catch (RuntimeException e) {
          fail(new Failure.Unforeseen(e));
          return;
        }
        send(body, check);
      }
    };
  }

  /// A reply that sends an empty output, for an operation without output.
  <T> Reply<T> empty() {
    return new UseCaseReply<>() {
      @Override
      public void succeed(T value, Reauthorization check) {
        send(NO_BODY, check);
      }
    };
  }

  /// A reply that refuses the request with an error of the AWS KMS edge itself, after the use case
  /// has succeeded.
  <T> Reply<T> refusal(Function<T, AwsError> error) {
    return new UseCaseReply<>() {
      @Override
      public void succeed(T value, Reauthorization check) {
        refuse(error.apply(value), check);
      }
    };
  }

  private void send(byte[] body, Reauthorization check) {
    exchange.respond(
        () ->
            switch (call.release(Outcome.ANSWERED, check, renewed -> send(body, renewed))) {
              case null -> null;
              case Outcome.Failed(var failure) ->
                  error(failure, errors.of(failure, call.method().name(), input));
              case Outcome released -> ended(released, new Response(200, body, requestId()));
            },
        body.length);
  }

  void fail(Failure failure) {
    fail(failure, Reauthorization.NONE);
  }

  private void fail(Failure failure, Reauthorization check) {
    exchange.respond(
        () ->
            call.release(new Outcome.Failed(failure), check, renewed -> fail(failure, renewed))
                    instanceof Outcome.Failed(var released)
                ? error(released, errors.of(released, call.method().name(), input))
                : null,
        0);
  }

  /// Refuses the request with an error of the AWS KMS edge itself, e.g. an invalid signature.
  void refuse(AwsError error) {
    refuse(error, Reauthorization.NONE);
  }

  private void refuse(AwsError error, Reauthorization check) {
    exchange.respond(
        () ->
            call.release(
                        new Outcome.Failed(error.failure()),
                        check,
                        renewed -> refuse(error, renewed))
                    instanceof Outcome.Failed(var failure)
                ? error(failure, error)
                : null,
        0);
  }

  private Response error(Failure failure, AwsError error) {
    return ended(
        new Outcome.Failed(failure), new Response(error.status(), error.json(), requestId()));
  }

  private Response ended(Outcome outcome, Response response) {
    call.ended(outcome);
    return response;
  }

  private String requestId() {
    return call.requestId();
  }

  private void abandon() {
    waiting = null;
    boolean _ = call.cancel();
  }

  private abstract class UseCaseReply<T> implements Reply<T> {
    @Override
    public void fail(Failure failure, Reauthorization check) {
      AwsReply.this.fail(failure, check);
    }

    @Override
    public boolean isAbandoned() {
      return exchange.isGone();
    }
  }
}

package dev.hmacd.awskms;

import dev.hmacd.authn.Authentication;
import dev.hmacd.authn.Authenticator;
import dev.hmacd.authn.PendingAuthentication;
import dev.hmacd.authn.SignedRequest;
import dev.hmacd.http.Exchange;
import dev.hmacd.http.HttpError;
import dev.hmacd.http.HttpHandler;
import dev.hmacd.http.Request;
import dev.hmacd.http.Response;
import dev.hmacd.usecase.Call;
import dev.hmacd.usecase.CallPipeline;
import dev.hmacd.usecase.Edge;
import dev.hmacd.usecase.Failure;
import dev.hmacd.usecase.Method;
import dev.hmacd.usecase.Reauthorization;
import dev.hmacd.usecase.Refusal;
import dev.hmacd.usecase.RequestIds;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.CompletionException;
import java.util.function.Consumer;

/// Dispatches complete requests: authenticates a request, finds the operation, reads the input, and
/// calls the handler. Runs on the event loop of the connection, and never blocks. If a token must
/// first derive the signing key, the request continues on the event loop after the derivation.
final class Dispatcher implements HttpHandler {
  private static final AwsError UNKNOWN_OPERATION = AwsError.of("UnknownOperationException", null);

  private final Authenticator authenticator;
  private final OperationTable operations;
  private final AwsErrors errors;
  private final CallPipeline calls;
  private final Duration maxCallTime;

  /// @param maxCallTime time limit of every request: clients of AWS send no deadline
  Dispatcher(
      Authenticator authenticator,
      OperationTable operations,
      AwsErrors errors,
      CallPipeline calls,
      Duration maxCallTime) {
    this.authenticator = authenticator;
    this.operations = operations;
    this.errors = errors;
    this.calls = calls;
    this.maxCallTime = maxCallTime;
  }

  @Override
  public Response refuse(HttpError error) {
    AwsError refusal = HttpErrors.of(error);
    return new Response(refusal.status(), refusal.json(), RequestIds.next());
  }

  @Override
  public void handle(Request request, Exchange exchange) {
    Optional<Operation> operation =
        request.headers().only("x-amz-target").flatMap(operations::find);
    Call call =
        calls.begin(
            Edge.AWS_KMS,
            operation.map(Operation::method).orElse(Method.UNKNOWN),
            request.headers().only("traceparent").orElse(null),
            System.nanoTime() + maxCallTime.toNanos());
    var reply = new AwsReply(call, exchange, errors);
    runStep(
        reply,
        () -> {
          requirePost(request);
          proceed(
              authenticator.authenticate(new SignedRequest(request, call.deadlineNanos())),
              exchange,
              reply,
              caller -> call(caller, request, operation, call, exchange, reply));
        });
  }

  private static void requirePost(Request request) {
    if (!request.path().equals("/")) {
      throw new AwsException(
          new AwsError(
              404,
              UNKNOWN_OPERATION.code(),
              "The path of a request must be /: configure the endpoint without a path, and a proxy"
                  + " without a path rewrite."));
    }
    if (!request.method().equals("POST")) {
      throw new AwsException(
          new AwsError(405, UNKNOWN_OPERATION.code(), "The method of a request must be POST."));
    }
  }

  /// Passes the caller of an authenticated request to the next step, or refuses the request. If the
  /// access key is not read or the signing key is not derived yet, the request continues later.
  private static void proceed(
      Authentication result,
      Exchange exchange,
      AwsReply reply,
      Consumer<Authentication.Authenticated> next) {
    switch (result) {
      case Authentication.Authenticated caller -> next.accept(caller);
      case Authentication.InvalidSignature(var error) -> reply.refuse(SignatureErrors.of(error));
      case Authentication.Refused _ -> reply.fail(new Failure.Unauthenticated());
      case PendingAuthentication pending -> {
        Runnable step =
            reply.unlessAbandoned(() -> proceed(pending.complete(), exchange, reply, next));
        pending.whenReady(() -> runStep(reply, step), exchange.executor());
      }
    }
  }

  private void call(
      Authentication.Authenticated caller,
      Request request,
      Optional<Operation> operation,
      Call call,
      Exchange exchange,
      AwsReply reply) {
    call.authenticated(
        caller.principal(),
        caller.owner(),
        Reauthorization.of(
            () -> authenticator.isCurrent(caller.credentials()),
            () -> authenticator.isValid(caller.credentials())));
    if (!exchange.admit(caller.principal())) {
      throw new AwsException(AwsError.throttledCaller());
    }
    Operation known = operation.orElseThrow(() -> new AwsException(UNKNOWN_OPERATION));
    OperationInput input = known.input().read(request.body());
    reply.inputRead(input);
    known.handler().call(call, input, reply);
  }

  /// Runs a step of a request. If the step throws an exception, the reply is the error for this
  /// exception.
  private static void runStep(AwsReply reply, Runnable work) {
    try {
      work.run();
    } catch (AwsException e) {
      reply.refuse(e.error());
    } catch (Refusal e) {
      reply.fail(e.failure());
    } catch (CompletionException e) {
      reply.fail(
          e.getCause() instanceof Refusal refusal ? refusal.failure() : new Failure.Unforeseen(e));
    } catch (RuntimeException e) {
      reply.fail(new Failure.Unforeseen(e));
    }
  }
}

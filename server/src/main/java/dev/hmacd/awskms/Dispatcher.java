package dev.hmacd.awskms;

import dev.hmacd.access.Principal;
import dev.hmacd.authn.Authentication;
import dev.hmacd.authn.Authenticator;
import dev.hmacd.authn.PendingSignature;
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
import dev.hmacd.usecase.Refusal;
import dev.hmacd.usecase.RequestIds;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.CompletionException;
import java.util.function.Consumer;

/// Dispatches a complete request: authenticates it, finds the operation, reads its input, and calls
/// the handler. Runs on the event loop; a request that waits for a signing key continues there
/// later.
final class Dispatcher implements HttpHandler {
  private static final AwsError UNKNOWN_OPERATION = AwsError.of("UnknownOperationException", null);

  private final Authenticator authenticator;
  private final Operations operations;
  private final Failures failures;
  private final CallPipeline calls;
  private final Duration maxCallTime;

  /// @param maxCallTime time limit of every request: clients of AWS send no deadline
  Dispatcher(
      Authenticator authenticator,
      Operations operations,
      Failures failures,
      CallPipeline calls,
      Duration maxCallTime) {
    this.authenticator = authenticator;
    this.operations = operations;
    this.failures = failures;
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
    var answer = new Answer(call, exchange, failures);
    answering(
        answer,
        () -> {
          requirePost(request);
          proceed(
              authenticator.authenticate(new SignedRequest(request, call.deadlineNanos())),
              exchange,
              answer,
              principal -> call(principal, request, operation, call, exchange, answer));
        });
  }

  private static void requirePost(Request request) {
    if (!request.path().equals("/")) {
      throw new AwsException(new AwsError(404, UNKNOWN_OPERATION.code(), null));
    }
    if (!request.method().equals("POST")) {
      throw new AwsException(new AwsError(405, UNKNOWN_OPERATION.code(), null));
    }
  }

  /// Passes the principal to the next step, or refuses the request. Waits for the signing key
  /// without a thread.
  private static void proceed(
      Authentication result, Exchange exchange, Answer answer, Consumer<Principal> next) {
    switch (result) {
      case Authentication.Authenticated(var principal) -> next.accept(principal);
      case Authentication.InvalidSignature(var error) -> answer.refuse(SignatureErrors.of(error));
      case Authentication.Refused _ -> answer.fail(new Failure.Unauthenticated());
      case PendingSignature pending -> {
        Runnable step =
            answer.unlessAbandoned(() -> proceed(pending.complete(), exchange, answer, next));
        pending.whenReady(() -> answering(answer, step), exchange.executor());
      }
    }
  }

  private static void call(
      Principal principal,
      Request request,
      Optional<Operation> operation,
      Call call,
      Exchange exchange,
      Answer answer) {
    call.authenticated(principal);
    if (!exchange.admit(principal)) {
      throw new AwsException(AwsError.throttledCaller());
    }
    Operation known = operation.orElseThrow(() -> new AwsException(UNKNOWN_OPERATION));
    Input input = known.input().read(request.body());
    answer.about(input);
    known.handler().call(call, input, answer);
  }

  /// Runs a step, and answers the request with the exception if the step throws one.
  private static void answering(Answer answer, Runnable work) {
    try {
      work.run();
    } catch (AwsException e) {
      answer.refuse(e.error());
    } catch (Refusal e) {
      answer.fail(e.failure());
    } catch (CompletionException e) {
      answer.fail(
          e.getCause() instanceof Refusal refusal ? refusal.failure() : new Failure.Unforeseen(e));
    } catch (RuntimeException e) {
      answer.fail(new Failure.Unforeseen(e));
    }
  }
}

package dev.hmacd.awskms;

import dev.hmacd.http.Exchange;
import dev.hmacd.http.HttpError;
import dev.hmacd.http.HttpHandler;
import dev.hmacd.http.Request;
import dev.hmacd.http.Response;
import dev.hmacd.sigv4.SigV4;
import dev.hmacd.sigv4.SigV4Exception;
import dev.hmacd.sigv4.SigningKey;
import dev.hmacd.usecase.AccessKeyService;
import dev.hmacd.usecase.Call;
import dev.hmacd.usecase.CallPipeline;
import dev.hmacd.usecase.Edge;
import dev.hmacd.usecase.Failure;
import dev.hmacd.usecase.Method;
import dev.hmacd.usecase.Refusal;
import dev.hmacd.usecase.RequestIds;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;

/// Dispatches a complete request: authenticates it, finds the operation, reads its input, and calls
/// the handler. Runs on the event loop; a request that waits for a signing key continues there
/// later.
final class Dispatcher implements HttpHandler {
  private static final AwsError UNKNOWN_OPERATION = AwsError.of("UnknownOperationException", null);

  private final SigV4 sigV4;
  private final AccessKeyService accessKeys;
  private final Operations operations;
  private final Failures failures;
  private final CallPipeline calls;
  private final Duration maxCallTime;

  /// @param maxCallTime time limit of every request: clients of AWS send no deadline
  Dispatcher(
      SigV4 sigV4,
      AccessKeyService accessKeys,
      Operations operations,
      Failures failures,
      CallPipeline calls,
      Duration maxCallTime) {
    this.sigV4 = sigV4;
    this.accessKeys = accessKeys;
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
          SigV4.Claim claim = sigV4.read(request);
          CompletableFuture<SigningKey> key =
              accessKeys
                  .signingKey(claim.accessKeyId(), claim.day(), call.deadlineNanos())
                  .orElseThrow(SigV4Exception::unknownKey);
          Runnable next = () -> proceed(request, claim, key, operation, call, exchange, answer);
          if (key.isDone()) {
            next.run();
          } else {
            Runnable waiting = answer.unlessAbandoned(next);
            var _ =
                key.whenCompleteAsync((_, _) -> answering(answer, waiting), exchange.executor());
          }
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

  private static void proceed(
      Request request,
      SigV4.Claim claim,
      CompletableFuture<SigningKey> found,
      Optional<Operation> operation,
      Call call,
      Exchange exchange,
      Answer answer) {
    SigningKey key = found.join();
    claim.verify(key);
    call.authenticated(key.principal());
    if (!exchange.admit(key.principal())) {
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
    } catch (SigV4Exception e) {
      answer.refuse(SignatureErrors.of(e));
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

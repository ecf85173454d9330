package dev.hmacd.usecase;

import com.google.errorprone.annotations.ThreadSafe;
import dev.hmacd.access.Principal;
import dev.hmacd.limit.Owner;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/// One request from its arrival to its outcome. Each edge creates a call for each request with a
/// [CallPipeline]. Use cases, logs and metrics read the call.
///
/// The principal is empty until the edge sets it, and the key name until the use case sets it. A
/// call has exactly one outcome. If several threads set an outcome, the first outcome counts.
@ThreadSafe
@SuppressWarnings("ThreadSafe") // Volatile fields, each set by one thread.
public final class Call {
  private static final VarHandle OUTCOME;

  private static final long DENIAL_STEP_NANOS = TimeUnit.MILLISECONDS.toNanos(5);

  static {
    try {
      OUTCOME = MethodHandles.lookup().findVarHandle(Call.class, "outcome", Outcome.class);
    } catch (ReflectiveOperationException e) {
      throw new ExceptionInInitializerError(e);
    }
  }

  private final CallObserver observer;
  private final Edge edge;
  private final Method method;
  private final String requestId = RequestIds.next();
  private final @Nullable String traceParent;
  private final long startNanos = System.nanoTime();
  private final long deadlineNanos;

  /// The check of the caller's credentials. Set before [#principal].
  private Reauthorization credentials = Reauthorization.NONE;

  /// Set before [#principal].
  private Owner owner = Owner.DAEMON;

  /// The start of the look-up of the key, a value of [System#nanoTime].
  private volatile long lookUpNanos = startNanos;

  /// Whether the time to answer a denial has come.
  private volatile boolean denialDue;

  private volatile @Nullable Principal principal;
  private volatile @Nullable String keyName;

  @SuppressWarnings("unused") // Accessed by OUTCOME.
  private volatile @Nullable Outcome outcome;

  Call(
      CallObserver observer,
      Edge edge,
      Method method,
      @Nullable String traceParent,
      long deadlineNanos) {
    this.observer = observer;
    this.edge = edge;
    this.method = method;
    this.traceParent = traceParent;
    this.deadlineNanos = deadlineNanos;
  }

  /// A call of the daemon itself, which is not reported to observers.
  public static Call ofDaemon(Principal principal, long deadlineNanos) {
    var call = new Call(CallObserver.NONE, Edge.DAEMON, Method.UNKNOWN, null, deadlineNanos);
    call.authenticated(principal, Owner.DAEMON, Reauthorization.NONE);
    return call;
  }

  public Edge edge() {
    return edge;
  }

  public Method method() {
    return method;
  }

  /// Id of the request, for the caller and for log lines.
  public String requestId() {
    return requestId;
  }

  /// The caller's trace context, a `traceparent` of W3C Trace Context; empty if the request has no
  /// trace context.
  public Optional<String> traceParent() {
    return Optional.ofNullable(traceParent);
  }

  /// The deadline, a value of [System#nanoTime]. A result after the deadline is discarded.
  public long deadlineNanos() {
    return deadlineNanos;
  }

  public boolean isExpired(long nowNanos) {
    return nowNanos - deadlineNanos >= 0;
  }

  public long ageNanos(long nowNanos) {
    return nowNanos - startNanos;
  }

  /// Sets the caller, after its credentials were verified.
  ///
  /// @param owner the caller, with the issuer of its credentials
  /// @param check the check of the credentials
  public void authenticated(Principal caller, Owner owner, Reauthorization check) {
    credentials = check;
    this.owner = owner;
    principal = caller;
  }

  /// Whether the caller may get an answer: its credentials and the authorization hold now. Reads
  /// memory only.
  ///
  /// @param authorization the check of the authorization
  public boolean isCurrent(Reauthorization authorization) {
    return (principal == null || credentials.isCurrent()) && authorization.isCurrent();
  }

  /// Repeats the checks of the caller's credentials and of the authorization, if they do not hold
  /// from memory alone ([#isCurrent]).
  ///
  /// @param authorization the check of the authorization
  /// @return the repeated check of the authorization. Complete at once, unless the registry must be
  ///   read first. Fails with a [Refusal], with the exception of the registry, or with
  ///   [TimeoutException] at the deadline of the call
  CompletableFuture<Reauthorization> renewal(Reauthorization authorization) {
    CompletableFuture<Reauthorization> caller =
        principal == null || credentials.isCurrent()
            ? CompletableFuture.completedFuture(credentials)
            : credentials.renew();
    CompletableFuture<Reauthorization> renewed =
        caller.thenCompose(
            _ ->
                authorization.isCurrent()
                    ? CompletableFuture.completedFuture(authorization)
                    : authorization.renew());
    if (renewed.isDone()) {
      return renewed;
    }
    long rest = deadlineNanos - System.nanoTime();
    return rest <= 0
        ? CompletableFuture.failedFuture(new TimeoutException())
        : renewed.orTimeout(rest, TimeUnit.NANOSECONDS);
  }

  /// The authenticated caller.
  ///
  /// @throws IllegalStateException if the call is not authenticated
  public Principal principal() {
    Principal caller = principal;
    if (caller == null) {
      throw new IllegalStateException("the call is not authenticated");
    }
    return caller;
  }

  /// The owner of the call's work on tokens and in the registry.
  ///
  /// @throws IllegalStateException if the call is not authenticated
  public Owner owner() {
    if (principal == null) {
      throw new IllegalStateException("the call is not authenticated");
    }
    return owner;
  }

  /// The authenticated caller; empty before authentication, and after a failed authentication.
  public Optional<Principal> caller() {
    return Optional.ofNullable(principal);
  }

  /// Sets the name of the key in the request, at the start of its look-up.
  ///
  /// @param given key id, ARN or alias, as in the request, with a validated length
  void concerns(String given) {
    keyName = given;
    lookUpNanos = System.nanoTime();
  }

  /// The key id, ARN or alias in the request; empty if the request names no key, or was not read
  /// yet.
  public Optional<String> keyName() {
    return Optional.ofNullable(keyName);
  }

  /// Whether the call has an outcome.
  public boolean isConcluded() {
    return OUTCOME.getVolatile(this) != null;
  }

  /// Releases an answer: checks the caller's credentials and the authorization, and concludes the
  /// call. If a check fails, its failure replaces the outcome. The edge calls this method before it
  /// hands the answer to the transport, in the same event-loop task.
  ///
  /// @param check the check of the authorization
  /// @param again is called on any thread, if the registry must be read for a check, or if the
  ///   intended outcome is a denial: the edge must release the answer again, with the new check
  /// @return the outcome that the edge must encode; null if the call already had an outcome, or if
  ///   `again` will be called
  public @Nullable Outcome release(
      Outcome intended, Reauthorization check, Consumer<Reauthorization> again) {
    if (isConcluded()) {
      return null;
    }
    if (intended instanceof Outcome.Failed(Failure.Denied _) && !denialDue) {
      answerDenialLater(check, again);
      return null;
    }
    Outcome released = intended;
    try {
      if (!isCurrent(check)) {
        CompletableFuture<Reauthorization> renewal = renewal(check);
        if (!renewal.isDone()) {
          var _ =
              renewal.whenComplete(
                  (renewed, e) ->
                      again.accept(
                          e == null
                              ? renewed
                              : Reauthorization.refused(FailureMapper.ofRegistry(e))));
          return null;
        }
        if (renewal.isCompletedExceptionally()) {
          released = new Outcome.Failed(FailureMapper.ofRegistry(renewal.exceptionNow()));
        }
      }
    } catch (RuntimeException e) {
      released = new Outcome.Failed(new Failure.Unforeseen(e));
    }
    return conclude(released) ? released : null;
  }

  /// Answers a denial at the next multiple of [#DENIAL_STEP_NANOS] after the start of the look-up.
  /// So the time does not show whether the key was in memory, was read from the database, or does
  /// not exist, unless the read takes longer. The caller cannot choose the start: a request over
  /// gRPC may end long after its headers.
  private void answerDenialLater(Reauthorization check, Consumer<Reauthorization> again) {
    long wait = DENIAL_STEP_NANOS - (System.nanoTime() - lookUpNanos) % DENIAL_STEP_NANOS;
    CompletableFuture.delayedExecutor(wait, TimeUnit.NANOSECONDS, Runnable::run)
        .execute(
            () -> {
              denialDue = true;
              again.accept(check);
            });
  }

  /// Sets the outcome of the call. [#ended] must follow if this method returns true.
  ///
  /// @return false if the call already had an outcome
  public boolean conclude(Outcome fixed) {
    if (!OUTCOME.compareAndSet(this, null, fixed)) {
      return false;
    }
    observer.concluded(this, fixed);
    return true;
  }

  /// Reports the end of the call: the answer was handed to the transport, or there is no answer.
  ///
  /// @param actual the outcome of [#conclude], or [Outcome#NOT_SENT]
  public void ended(Outcome actual) {
    observer.ended(this, actual, System.nanoTime() - startNanos);
  }

  /// Cancels the call, because its client has disconnected.
  ///
  /// @return false if the call already had an outcome
  public boolean cancel() {
    if (!conclude(Outcome.CANCELLED)) {
      return false;
    }
    ended(Outcome.CANCELLED);
    return true;
  }
}

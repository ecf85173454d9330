package dev.hmacd.rpc;

import com.google.errorprone.annotations.ThreadSafe;
import com.google.errorprone.annotations.concurrent.GuardedBy;
import com.google.protobuf.DynamicMessage;
import com.google.protobuf.Empty;
import dev.hmacd.access.Principal;
import dev.hmacd.authn.Authenticator;
import dev.hmacd.transport.FairLimit;
import dev.hmacd.usecase.Failure;
import dev.hmacd.usecase.FieldValidation;
import dev.hmacd.usecase.Refusal;
import dev.hmacd.v1.AccessKeyServiceGrpc;
import dev.hmacd.v1.KeyServiceGrpc;
import dev.hmacd.v1.MacServiceGrpc;
import dev.hmacd.v1.RandomServiceGrpc;
import io.grpc.ServerServiceDefinition;
import io.grpc.health.v1.HealthCheckRequest;
import io.grpc.health.v1.HealthCheckResponse;
import io.grpc.health.v1.HealthCheckResponse.ServingStatus;
import io.grpc.health.v1.HealthGrpc;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/// The standard health service (`grpc.health.v1`). The initial status is NOT_SERVING; [#setServing]
/// changes the status.
///
/// Unlike gRPC's own implementation, this class refuses callers without a principal, and does not
/// store the service names of requests.
@ThreadSafe
public final class HealthGrpcService {
  /// Maximum number of concurrent Watch calls, shared between principals. A Watch call needs a few
  /// KiB of memory.
  static final int MAX_WATCHES = 4096;

  private static final int MAX_NAME_CHARS = 256;

  /// Service names that clients may check; the empty name is the whole daemon. All services depend
  /// on the token, so all have the same status.
  private static final Set<String> SERVICES =
      Set.of(
          "",
          MacServiceGrpc.SERVICE_NAME,
          KeyServiceGrpc.SERVICE_NAME,
          AccessKeyServiceGrpc.SERVICE_NAME,
          RandomServiceGrpc.SERVICE_NAME);

  private final Set<Watch> watches = ConcurrentHashMap.newKeySet();
  private final FairLimit<Watch> shares =
      new FairLimit<>(MAX_WATCHES, (_, watch) -> watch.refuse());
  private volatile ServingStatus status = ServingStatus.NOT_SERVING;
  private volatile boolean watchesEnded;

  @GuardedBy("this")
  private boolean stopping;

  /// Sets the status of every service. Does nothing after [#stop].
  ///
  /// @param serving whether the health check of at least one token succeeds
  public void setServing(boolean serving) {
    synchronized (this) {
      if (stopping) {
        return;
      }
      status = serving ? ServingStatus.SERVING : ServingStatus.NOT_SERVING;
    }
    watches.forEach(Watch::sendStatus);
  }

  /// Sets NOT_SERVING until the end of the process: later calls of [#setServing] have no effect.
  /// Clients can use another daemon while calls in flight end.
  public void stop() {
    synchronized (this) {
      stopping = true;
      status = ServingStatus.NOT_SERVING;
    }
    watches.forEach(Watch::sendStatus);
  }

  /// Ends all Watch calls, and refuses new Watch calls. The stop of the daemon calls this method
  /// before it waits for all calls in flight.
  void endWatches() {
    watchesEnded = true;
    watches.forEach(Watch::end);
  }

  ServerServiceDefinition definition(CallStarter starter) {
    return new ServiceBuilder(HealthListMethod.SERVICE, starter)
        .add(
            HealthGrpc.getCheckMethod(),
            HealthCheckRequest.getDefaultInstance(),
            (_, request, reply) -> check(request, reply))
        .add(
            HealthListMethod.METHOD,
            Empty.getDefaultInstance(),
            (_, _, reply) -> reply.succeed(list()))
        .add(
            HealthGrpc.getWatchMethod(),
            HealthCheckRequest.getDefaultInstance(),
            (call, request, reply) ->
                watch(call.principal(), request, reply, starter.authenticator()))
        .build();
  }

  private static boolean isKnown(HealthCheckRequest request) {
    FieldValidation.text("service", request.getService(), 0, MAX_NAME_CHARS);
    return SERVICES.contains(request.getService());
  }

  private void check(HealthCheckRequest request, GrpcReply<HealthCheckResponse> reply) {
    if (!isKnown(request)) {
      throw new Refusal(new Failure.ServiceNotFound());
    }
    reply.succeed(response(status));
  }

  private DynamicMessage list() {
    HealthCheckResponse each = response(status);
    return HealthListMethod.response(
        SERVICES.stream().collect(Collectors.toMap(Function.identity(), _ -> each)));
  }

  private static HealthCheckResponse response(ServingStatus status) {
    return HealthCheckResponse.newBuilder().setStatus(status).build();
  }

  private void watch(
      Principal principal,
      HealthCheckRequest request,
      GrpcReply<HealthCheckResponse> reply,
      Authenticator authenticator) {
    var watch = new Watch(isKnown(request), reply, authenticator);
    if (!shares.enter(principal, watch)) {
      watch.refuse();
      return;
    }
    watches.add(watch);
    reply.onEnd(
        () -> {
          watches.remove(watch);
          boolean _ = shares.leave(principal, watch);
        });
    watch.sendStatus();
    if (watchesEnded) {
      watch.end();
    }
  }

  /// A Watch call, which gets each change of the status.
  private final class Watch {
    private final boolean isKnown;
    private final GrpcReply<HealthCheckResponse> reply;
    private final Authenticator authenticator;

    /// The status in the last sent message; null before the first. Only the event loop uses this
    /// field.
    private @Nullable ServingStatus lastSent;

    Watch(boolean isKnown, GrpcReply<HealthCheckResponse> reply, Authenticator authenticator) {
      this.isKnown = isKnown;
      this.reply = reply;
      this.authenticator = authenticator;
    }

    /// Sends the current status, unless the last message had the same status. If the status changes
    /// several times before the event loop runs, the client gets one message.
    void sendStatus() {
      reply.execute(this::sendOnEventLoop);
    }

    private void sendOnEventLoop() {
      // The health protocol defines SERVICE_UNKNOWN for unknown services, which may become known
      // later.
      ServingStatus now = isKnown ? status : ServingStatus.SERVICE_UNKNOWN;
      if (now == lastSent) {
        return;
      }
      lastSent = now;
      if (!reply.authenticate(authenticator)) {
        reply.fail(new Failure.Unauthenticated());
      } else {
        reply.sendQueued(response(now));
      }
    }

    void end() {
      reply.fail(new Failure.Stopping());
    }

    void refuse() {
      reply.fail(new Failure.LimitExceeded("calls of Watch", MAX_WATCHES));
    }
  }
}

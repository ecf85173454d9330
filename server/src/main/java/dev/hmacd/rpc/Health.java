package dev.hmacd.rpc;

import com.google.errorprone.annotations.ThreadSafe;
import com.google.errorprone.annotations.concurrent.GuardedBy;
import com.google.protobuf.DynamicMessage;
import com.google.protobuf.Empty;
import dev.hmacd.access.Principal;
import dev.hmacd.transport.FairLimit;
import dev.hmacd.usecase.Failure;
import dev.hmacd.usecase.FieldValidation;
import dev.hmacd.usecase.Refusal;
import dev.hmacd.v1.AccessKeyServiceGrpc;
import dev.hmacd.v1.KeyServiceGrpc;
import dev.hmacd.v1.MacServiceGrpc;
import io.grpc.ServerServiceDefinition;
import io.grpc.health.v1.HealthCheckRequest;
import io.grpc.health.v1.HealthCheckResponse;
import io.grpc.health.v1.HealthCheckResponse.ServingStatus;
import io.grpc.health.v1.HealthGrpc;
import java.time.Clock;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/// The standard health service (`grpc.health.v1`). It starts as NOT_SERVING; [#setServing] changes
/// the status.
///
/// Unlike gRPC's own implementation, it refuses callers without a principal, and does not store the
/// service names of requests.
@ThreadSafe
public final class Health {
  /// Maximum number of concurrent Watch calls, shared between principals. Each needs a few KiB.
  static final int MAX_WATCHES = 4096;

  private static final int MAX_NAME_CHARS = 256;

  /// The empty name stands for the whole daemon. All services depend on the token, so all have the
  /// same status.
  private static final Set<String> SERVICES =
      Set.of(
          "",
          MacServiceGrpc.SERVICE_NAME,
          KeyServiceGrpc.SERVICE_NAME,
          AccessKeyServiceGrpc.SERVICE_NAME);

  private final Set<Watch> watches = ConcurrentHashMap.newKeySet();
  private final FairLimit<Watch> shares = new FairLimit<>(MAX_WATCHES, Watch::refuse);
  private volatile ServingStatus status = ServingStatus.NOT_SERVING;
  private volatile boolean over;

  @GuardedBy("this")
  private boolean stopping;

  /// Sets the status of every service. Does nothing after [#stop].
  ///
  /// @param serving whether a token gives the known answer
  public void setServing(boolean serving) {
    synchronized (this) {
      if (stopping) {
        return;
      }
      status = serving ? ServingStatus.SERVING : ServingStatus.NOT_SERVING;
    }
    watches.forEach(Watch::tell);
  }

  /// Sets NOT_SERVING for good; later calls of [#setServing] have no effect. Clients use another
  /// daemon while calls in flight end.
  public void stop() {
    synchronized (this) {
      stopping = true;
      status = ServingStatus.NOT_SERVING;
    }
    watches.forEach(Watch::tell);
  }

  /// Ends all calls of Watch, and refuses new ones. Otherwise a stop would wait for them.
  void endWatches() {
    over = true;
    watches.forEach(Watch::end);
  }

  ServerServiceDefinition definition(UnaryMethod.Setting setting) {
    return new ServiceBuilder(HealthList.SERVICE, setting)
        .add(
            HealthGrpc.getCheckMethod(),
            HealthCheckRequest.getDefaultInstance(),
            (_, request, answer) -> check(request, answer))
        .add(
            HealthList.METHOD, Empty.getDefaultInstance(), (_, _, answer) -> answer.succeed(list()))
        .add(
            HealthGrpc.getWatchMethod(),
            HealthCheckRequest.getDefaultInstance(),
            (call, request, answer) -> watch(call.principal(), request, answer, setting.clock()))
        .build();
  }

  private static boolean isKnown(HealthCheckRequest request) {
    FieldValidation.text("service", request.getService(), 0, MAX_NAME_CHARS);
    return SERVICES.contains(request.getService());
  }

  private void check(HealthCheckRequest request, Answer<HealthCheckResponse> answer) {
    if (!isKnown(request)) {
      throw new Refusal(new Failure.ServiceNotFound());
    }
    answer.succeed(response(status));
  }

  private DynamicMessage list() {
    HealthCheckResponse each = response(status);
    return HealthList.response(
        SERVICES.stream().collect(Collectors.toMap(Function.identity(), _ -> each)));
  }

  private static HealthCheckResponse response(ServingStatus status) {
    return HealthCheckResponse.newBuilder().setStatus(status).build();
  }

  private void watch(
      Principal principal,
      HealthCheckRequest request,
      Answer<HealthCheckResponse> answer,
      Clock clock) {
    var watch = new Watch(isKnown(request), answer, clock);
    if (!shares.enter(principal, watch)) {
      watch.refuse();
      return;
    }
    watches.add(watch);
    answer.whenEnded(
        () -> {
          watches.remove(watch);
          boolean _ = shares.leave(principal, watch);
        });
    watch.tell();
    if (over) {
      watch.end();
    }
  }

  /// One call of Watch, which gets each change of the status.
  private final class Watch {
    private final boolean known;
    private final Answer<HealthCheckResponse> answer;
    private final Clock clock;

    /// Only the event loop uses it.
    private @Nullable ServingStatus told;

    Watch(boolean known, Answer<HealthCheckResponse> answer, Clock clock) {
      this.known = known;
      this.answer = answer;
      this.clock = clock;
    }

    /// Sends the current status, unless it was the last one sent. A status that changes before the
    /// event loop runs this is sent once.
    void tell() {
      answer.onLoop(this::tellOnLoop);
    }

    private void tellOnLoop() {
      // The protocol defines this status for unknown services, which may become known later.
      ServingStatus now = known ? status : ServingStatus.SERVICE_UNKNOWN;
      if (now == told) {
        return;
      }
      told = now;
      if (!answer.authenticate(clock.instant())) {
        answer.fail(new Failure.Unauthenticated());
      } else {
        answer.sendInTurn(response(now));
      }
    }

    void end() {
      answer.fail(new Failure.Stopping());
    }

    void refuse() {
      answer.fail(new Failure.LimitExceeded("calls of Watch", MAX_WATCHES));
    }
  }
}

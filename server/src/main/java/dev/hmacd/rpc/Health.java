package dev.hmacd.rpc;

import com.google.errorprone.annotations.ThreadSafe;
import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.hmacd.mac.Failure;
import dev.hmacd.mac.Refusal;
import dev.hmacd.mac.Shape;
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
import java.util.concurrent.Semaphore;
import org.jspecify.annotations.Nullable;

/// The standard health service (`grpc.health.v1`), told by those who know. Starts NOT_SERVING.
///
/// Not gRPC's own implementation, which answers everybody, and keeps whatever name it is asked for.
@ThreadSafe
public final class Health {
  /// Calls of Watch at once, of all callers: each costs a few KiB for as long as it lasts.
  static final int MAX_WATCHES = 4096;

  private static final int MAX_NAME_CHARS = 256;

  /// The empty name stands for the whole daemon. All depend on the token, and so serve together.
  private static final Set<String> SERVICES =
      Set.of(
          "",
          MacServiceGrpc.SERVICE_NAME,
          KeyServiceGrpc.SERVICE_NAME,
          AccessKeyServiceGrpc.SERVICE_NAME);

  private final Set<Watch> watches = ConcurrentHashMap.newKeySet();
  private final Semaphore room = new Semaphore(MAX_WATCHES);
  private volatile ServingStatus status = ServingStatus.NOT_SERVING;
  private volatile boolean over;

  @GuardedBy("this")
  private boolean stopping;

  /// Whether the token answers as it should, on which every service depends.
  public void setServing(boolean serving) {
    synchronized (this) {
      if (stopping) {
        return;
      }
      status = serving ? ServingStatus.SERVING : ServingStatus.NOT_SERVING;
    }
    watches.forEach(Watch::tell);
  }

  /// NOT_SERVING from here on, whatever [#setServing] says: callers go elsewhere while calls under
  /// way end.
  public void stop() {
    synchronized (this) {
      stopping = true;
      status = ServingStatus.NOT_SERVING;
    }
    watches.forEach(Watch::tell);
  }

  /// Ends the calls of those who watch, and those that are yet to come: a stop would wait for them.
  void endWatches() {
    over = true;
    watches.forEach(Watch::end);
  }

  ServerServiceDefinition definition(UnaryMethod.Setting setting) {
    return new ServiceBuilder(HealthGrpc.getServiceDescriptor(), setting)
        .add(
            HealthGrpc.getCheckMethod(),
            HealthCheckRequest.getDefaultInstance(),
            (_, request, answer) -> check(request, answer))
        .add(
            HealthGrpc.getWatchMethod(),
            HealthCheckRequest.getDefaultInstance(),
            (_, request, answer) -> watch(request, answer, setting.clock()))
        .build();
  }

  private static boolean isKnown(HealthCheckRequest request) {
    Shape.text("service", request.getService(), 0, MAX_NAME_CHARS);
    return SERVICES.contains(request.getService());
  }

  private void check(HealthCheckRequest request, Answer<HealthCheckResponse> answer) {
    if (!isKnown(request)) {
      throw new Refusal(new Failure.ServiceNotFound());
    }
    answer.succeed(response(status));
  }

  private static HealthCheckResponse response(ServingStatus status) {
    return HealthCheckResponse.newBuilder().setStatus(status).build();
  }

  private void watch(HealthCheckRequest request, Answer<HealthCheckResponse> answer, Clock clock) {
    boolean known = isKnown(request);
    if (!room.tryAcquire()) {
      throw new Refusal(new Failure.LimitExceeded("calls of Watch", MAX_WATCHES));
    }
    var watch = new Watch(known, answer, clock);
    watches.add(watch);
    answer.whenEnded(
        () -> {
          if (watches.remove(watch)) {
            room.release();
          }
        });
    watch.tell();
    if (over) {
      watch.end();
    }
  }

  /// One who is told each change.
  private final class Watch {
    private final boolean known;
    private final Answer<HealthCheckResponse> answer;
    private final Clock clock;

    @GuardedBy("this")
    private @Nullable ServingStatus told;

    Watch(boolean known, Answer<HealthCheckResponse> answer, Clock clock) {
      this.known = known;
      this.answer = answer;
      this.clock = clock;
    }

    /// Tells the status unless it has been told. Whoever is second waits, and then tells what holds
    /// then: the last that is told is what holds.
    synchronized void tell() {
      // As the protocol says of names that are not known: they may be one day.
      ServingStatus now = known ? status : ServingStatus.SERVICE_UNKNOWN;
      if (now == told) {
        return;
      }
      told = now;
      if (answer.authenticate(clock.instant()).isEmpty()) {
        answer.fail(new Failure.Unauthenticated());
      } else {
        answer.send(response(now));
      }
    }

    void end() {
      answer.fail(new Failure.Stopping());
    }
  }
}

package dev.hmacd.rpc;

import com.google.protobuf.Duration;
import com.google.rpc.Code;
import com.google.rpc.RetryInfo;
import dev.hmacd.usecase.Failure;
import io.grpc.Metadata;
import java.util.EnumSet;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// Whether and when a client may send the request of a failed call again by itself. The status of
/// the call tells it: [RetryInfo] permits a retry, and the trailer [#PUSHBACK] forbids one.
///
/// The delays are constant. A random part is a matter of the client: only the client knows the
/// number of its attempts.
enum Retry {
  /// The same request would fail again, or another attempt would do harm.
  NEVER(null),
  /// A wait changes nothing: the cause was the connection, or another daemon can execute the
  /// request.
  AT_ONCE(0),
  /// A queue or a memory bound is full. Each finished call makes room, which takes milliseconds. A
  /// caller that follows this delay causes at most 20 refusals a second for each of its calls.
  AFTER_BUSY(50),
  /// No token for the call is in service. A failed token is checked at least each 500 ms
  /// (`HealthMachine`): no earlier attempt is certain to find another state.
  AFTER_HEALTH_CHECK(500),
  /// The key or the registry is not usable: storage must come back, or an operator must act. The
  /// registry is checked each second. The deadline of a call leaves time for some attempts.
  AFTER_REPAIR(1000);

  /// The trailer with which a server controls the retry policy of gRPC (gRFC A6). A negative value
  /// forbids the retry.
  static final Metadata.Key<String> PUSHBACK =
      Metadata.Key.of("grpc-retry-pushback-ms", Metadata.ASCII_STRING_MARSHALLER);

  /// The value of [#PUSHBACK] that forbids a retry.
  static final String FORBIDDEN = "-1";

  /// The status codes that retry policies commonly name. gRPC counts each pushback that forbids a
  /// retry against the retry throttling of the client. So a call with another code, such as
  /// INVALID_ARGUMENT for a wrong MAC, has no pushback: forged MACs must not end the retries of a
  /// client.
  private static final Set<Code> COMMONLY_RETRIED =
      EnumSet.of(
          Code.UNAVAILABLE,
          Code.RESOURCE_EXHAUSTED,
          Code.DEADLINE_EXCEEDED,
          Code.INTERNAL,
          Code.UNKNOWN,
          Code.ABORTED,
          Code.CANCELLED);

  private static final int NANOS_PER_MILLI = 1_000_000;

  private final @Nullable RetryInfo info;

  /// @param delayMillis null if no retry is permitted
  Retry(@Nullable Integer delayMillis) {
    this.info = delayMillis == null ? null : after(delayMillis);
  }

  private static RetryInfo after(int millis) {
    return RetryInfo.newBuilder()
        .setRetryDelay(
            Duration.newBuilder()
                .setSeconds(millis / 1000)
                .setNanos(millis % 1000 * NANOS_PER_MILLI))
        .build();
  }

  // This switch has no default branch: a new kind of failure does not compile until someone has
  // decided about its retry.
  static Retry of(Failure failure) {
    return switch (failure) {
      case Failure.TokenBusy _, Failure.RegistryBusy _, Failure.MemoryBusy _ -> AFTER_BUSY;
      case Failure.TokenUnavailable() -> AFTER_HEALTH_CHECK;
      case Failure.KeyUnavailable _, Failure.RegistryUnavailable() -> AFTER_REPAIR;
      // Another daemon can execute the request.
      case Failure.Stopping() -> AT_ONCE;
      // Damage in transit is random. A client with a wrong checksum must bound its attempts.
      case Failure.ChecksumMismatch _ -> AT_ONCE;
      // The deadline bounds all attempts of a call, so no time is left. After the daemon's own
      // limit, the request has waited for seconds and may still be executed: a retry would double
      // the load of a token or a registry that is too slow already.
      case Failure.DeadlineExceeded() -> NEVER;
      // An unexpected error repeats itself for the same request, or its effect is unknown.
      case Failure.Unforeseen _ -> NEVER;
      case Failure.RequestTooLong _, Failure.LimitExceeded _ -> NEVER;
      case Failure.Unauthenticated(),
          Failure.Denied _,
          Failure.InvalidField _,
          Failure.UnknownField(),
          Failure.MessageTooLong _,
          Failure.MethodNotFound(),
          Failure.ServiceNotFound(),
          Failure.GrantTokensNotServed(),
          Failure.KeyVersionNotServed(),
          Failure.InvalidPageToken(),
          Failure.InvalidKeyId _,
          Failure.KeyNotFound _,
          Failure.AliasNotFound _,
          Failure.AliasExists _,
          Failure.KeyNotUsable _,
          Failure.KeyNotPendingDeletion _,
          Failure.InvalidTags _,
          Failure.AccessKeyNotFound _,
          Failure.AlgorithmMismatch _,
          Failure.InvalidMac(),
          Failure.ReservedMessage(),
          Failure.DryRun(),
          Failure.ObjectNotFound(),
          Failure.ObjectAmbiguous(),
          Failure.ObjectUnfit _,
          Failure.ObjectTaken(),
          Failure.ObjectReserved(),
          Failure.MechanismNotSupported _ ->
          NEVER;
    };
  }

  /// The detail of the status that permits a retry; empty if no retry is permitted.
  Optional<RetryInfo> info() {
    return Optional.ofNullable(info);
  }

  /// Whether a status with this code needs [#PUSHBACK], because a retry policy would repeat the
  /// call.
  boolean isForbidden(Code code) {
    return info == null && COMMONLY_RETRIED.contains(code);
  }
}

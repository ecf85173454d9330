package dev.hmacd.rpc;

import com.google.protobuf.Any;
import com.google.rpc.Code;
import com.google.rpc.ErrorInfo;
import com.google.rpc.RequestInfo;
import dev.hmacd.key.KeySpec;
import dev.hmacd.usecase.Failure;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.StatusException;
import io.grpc.protobuf.StatusProto;
import java.util.Map;

/// Maps a failure to a status with one [ErrorInfo], whose reason is API. Texts are constant, except
/// for values from the request. They contain no exception text, path or detail of the token.
final class Statuses {
  static final String DOMAIN = "hmacd.dev";

  private Statuses() {}

  record StatusWithTrailers(Status status, Metadata trailers) {}

  /// The code and text of a failure.
  private record Mapping(Code code, String text, Map<String, String> metadata) {}

  /// @param requestId id of the request, in the error's [RequestInfo]
  static StatusWithTrailers of(Failure failure, String requestId) {
    Mapping mapping = mapping(failure);
    var info =
        ErrorInfo.newBuilder()
            .setReason(failure.reason())
            .setDomain(DOMAIN)
            .putAllMetadata(mapping.metadata())
            .build();
    StatusException status =
        StatusProto.toStatusException(
            com.google.rpc.Status.newBuilder()
                .setCode(mapping.code().getNumber())
                .setMessage(mapping.text())
                .addDetails(Any.pack(info))
                .addDetails(Any.pack(RequestInfo.newBuilder().setRequestId(requestId).build()))
                .build());
    Metadata trailers = status.getTrailers();
    return new StatusWithTrailers(status.getStatus(), trailers == null ? new Metadata() : trailers);
  }

  // No default branch: a new kind of failure does not compile until it has a status.
  private static Mapping mapping(Failure failure) {
    return switch (failure) {
      case Failure.Unauthenticated() ->
          new Mapping(
              Code.UNAUTHENTICATED, "the connection names no principal that holds now", Map.of());
      case Failure.Denied(var caller, var action, var _) ->
          new Mapping(
              Code.PERMISSION_DENIED,
              "no rule allows " + caller + " to " + action + " with this key",
              Map.of("principal", caller.name(), "action", action.toString()));
      case Failure.InvalidField(var field, var rule) ->
          new Mapping(
              Code.INVALID_ARGUMENT, field + ": " + rule, Map.of("field", field, "rule", rule));
      case Failure.UnknownField() ->
          new Mapping(
              Code.INVALID_ARGUMENT,
              "the request sets a field that this daemon does not know",
              Map.of());
      case Failure.RequestTooLong(var maximum) ->
          new Mapping(
              Code.RESOURCE_EXHAUSTED,
              "the request is longer than " + maximum + " bytes",
              Map.of("maximum", Integer.toString(maximum)));
      case Failure.MethodNotFound() ->
          new Mapping(Code.UNIMPLEMENTED, "there is no such method", Map.of());
      case Failure.ServiceNotFound() ->
          new Mapping(Code.NOT_FOUND, "there is no such service", Map.of());
      case Failure.GrantTokensNotServed() ->
          new Mapping(Code.UNIMPLEMENTED, "grant tokens are not served yet", Map.of());
      case Failure.KeyVersionNotServed() ->
          new Mapping(Code.UNIMPLEMENTED, "choosing a key version is not served yet", Map.of());
      case Failure.ChecksumMismatch(var field) ->
          new Mapping(
              Code.INVALID_ARGUMENT, field + " does not fit its CRC32C", Map.of("field", field));
      case Failure.InvalidPageToken() ->
          new Mapping(Code.INVALID_ARGUMENT, "page_token is none that this method gave", Map.of());
      case Failure.InvalidKeyId(var field, var _) ->
          new Mapping(
              Code.INVALID_ARGUMENT,
              field + " does not name a key in a form that is taken here",
              Map.of("field", field));
      case Failure.KeyNotFound(var given) ->
          new Mapping(Code.NOT_FOUND, "there is no such key", Map.of("key_id", given));
      case Failure.AliasNotFound(var alias) ->
          new Mapping(Code.NOT_FOUND, "there is no such alias", Map.of("alias_name", alias.name()));
      case Failure.AliasExists(var alias) ->
          new Mapping(Code.ALREADY_EXISTS, "the alias exists", Map.of("alias_name", alias.name()));
      case Failure.LimitExceeded(var limit, var maximum) ->
          new Mapping(
              Code.RESOURCE_EXHAUSTED,
              limit + ": at most " + maximum,
              Map.of("limit", limit, "maximum", Integer.toString(maximum)));
      case Failure.KeyNotUsable(var key, var state) ->
          new Mapping(
              Code.FAILED_PRECONDITION,
              "the key is in state " + state,
              Map.of("key_id", key.value(), "key_state", state.name()));
      case Failure.KeyNotPendingDeletion(var key, var state) ->
          new Mapping(
              Code.FAILED_PRECONDITION,
              "the key is in state " + state,
              Map.of("key_id", key.value(), "key_state", state.name()));
      case Failure.InvalidTags(var rule) ->
          new Mapping(Code.INVALID_ARGUMENT, rule, Map.of("rule", rule));
      case Failure.AccessKeyNotFound(var id) ->
          new Mapping(Code.NOT_FOUND, "there is no such access key", Map.of("access_key_id", id));
      case Failure.AlgorithmMismatch(var spec, var algorithm) ->
          new Mapping(
              Code.INVALID_ARGUMENT,
              algorithm + " is not the algorithm of key spec " + spec,
              Map.of("key_spec", spec.name(), "mac_algorithm", algorithm.name()));
      case Failure.InvalidMac() ->
          new Mapping(
              Code.INVALID_ARGUMENT, "the MAC is not that of the message under this key", Map.of());
      case Failure.ReservedMessage() ->
          new Mapping(
              Code.INVALID_ARGUMENT,
              "the message starts as the messages of check values do, which no caller may have"
                  + " MACs of",
              Map.of());
      case Failure.DryRun() ->
          new Mapping(
              Code.FAILED_PRECONDITION,
              "the request would have succeeded, but dry_run is set",
              Map.of());
      case Failure.ObjectNotFound() ->
          new Mapping(Code.NOT_FOUND, "no secret key on the token has that label or id", Map.of());
      case Failure.ObjectAmbiguous() ->
          new Mapping(
              Code.FAILED_PRECONDITION,
              "more than one secret key on the token has that label or id",
              Map.of());
      case Failure.ObjectUnfit(var unfit) ->
          new Mapping(
              Code.FAILED_PRECONDITION,
              unfit.text() + ": " + unfit.remedy(),
              Map.of("attribute", unfit.attribute(), "rule", unfit.rule(), "found", unfit.found()));
      case Failure.ObjectTaken() ->
          new Mapping(Code.ALREADY_EXISTS, "the object backs a key already", Map.of());
      case Failure.ObjectReserved() ->
          new Mapping(
              Code.PERMISSION_DENIED, "the label is reserved for the daemon's own keys", Map.of());
      case Failure.MechanismNotSupported(KeySpec spec) ->
          new Mapping(
              Code.FAILED_PRECONDITION,
              "the token has no mechanism for key spec " + spec,
              Map.of("key_spec", spec.name()));
      case Failure.TokenBusy(var bound) ->
          new Mapping(
              Code.RESOURCE_EXHAUSTED,
              switch (bound) {
                case OF_ALL -> "too many operations wait for the token";
                case OF_CALLER ->
                    "too many calls of this client are in flight: wait for answers before you send"
                        + " more";
              },
              Map.of());
      case Failure.RegistryBusy(var bound) ->
          new Mapping(
              Code.RESOURCE_EXHAUSTED,
              switch (bound) {
                case OF_ALL -> "too many changes wait for the registry";
                case OF_CALLER ->
                    "too many calls of this client to the registry are in flight: wait for answers"
                        + " before you send more";
              },
              Map.of());
      case Failure.MemoryBusy(var bound) ->
          new Mapping(
              Code.RESOURCE_EXHAUSTED,
              switch (bound) {
                case OF_ALL -> "too many requests have not come whole";
                case OF_CALLER ->
                    "too many requests of this client have not come whole: finish them before you"
                        + " send more";
              },
              Map.of());
      case Failure.DeadlineExceeded() ->
          new Mapping(Code.DEADLINE_EXCEEDED, "the deadline passed", Map.of());
      case Failure.TokenUnavailable() ->
          new Mapping(Code.UNAVAILABLE, "the token cannot be used now", Map.of());
      case Failure.KeyUnavailable(var key) ->
          new Mapping(
              Code.UNAVAILABLE,
              "the key cannot be used on the token now",
              Map.of("key_id", key.value()));
      case Failure.RegistryUnavailable() ->
          new Mapping(Code.UNAVAILABLE, "the registry cannot be used now", Map.of());
      case Failure.Stopping() -> new Mapping(Code.UNAVAILABLE, "the daemon is stopping", Map.of());
      case Failure.Unforeseen(var _) ->
          new Mapping(Code.INTERNAL, "an internal fault; the daemon's log has it", Map.of());
    };
  }
}

package dev.hmacd.rpc;

import com.google.protobuf.Any;
import com.google.rpc.Code;
import com.google.rpc.ErrorInfo;
import dev.hmacd.key.KeySpec;
import dev.hmacd.usecase.Failure;
import dev.hmacd.v1.ErrorReason;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.StatusException;
import io.grpc.protobuf.StatusProto;
import java.util.Map;

/// Maps a failure to a status with one [ErrorInfo], whose reason is API. Texts are constant, except
/// for values from the request. They contain no exception text, path or detail of the token.
final class Statuses {
  static final String DOMAIN = "hmacd.dev";

  private static final int PREFIX = "ERROR_REASON_".length();

  private Statuses() {}

  /// @param reason for metrics
  record Ending(Status status, Metadata trailers, String reason) {}

  // No default branch, on purpose: a new kind of failure does not compile until it has a status.
  static Ending of(Failure failure) {
    return switch (failure) {
      case Failure.Unauthenticated() ->
          error(
              Code.UNAUTHENTICATED,
              ErrorReason.ERROR_REASON_UNAUTHENTICATED,
              "the connection names no principal that holds now",
              Map.of());
      case Failure.Denied(var caller, var action) ->
          error(
              Code.PERMISSION_DENIED,
              ErrorReason.ERROR_REASON_ACCESS_DENIED,
              "no rule allows " + caller + " to " + action + " with this key",
              Map.of("principal", caller.name(), "action", action.toString()));
      case Failure.InvalidField(var field, var rule) ->
          error(
              Code.INVALID_ARGUMENT,
              ErrorReason.ERROR_REASON_INVALID_FIELD,
              field + ": " + rule,
              Map.of("field", field, "rule", rule));
      case Failure.UnknownField() ->
          error(
              Code.INVALID_ARGUMENT,
              ErrorReason.ERROR_REASON_UNKNOWN_FIELD,
              "the request sets a field that this daemon does not know",
              Map.of());
      case Failure.RequestTooLong(var maximum) ->
          error(
              Code.RESOURCE_EXHAUSTED,
              ErrorReason.ERROR_REASON_REQUEST_TOO_LONG,
              "the request is longer than " + maximum + " bytes",
              Map.of("maximum", Integer.toString(maximum)));
      case Failure.MethodNotFound() ->
          error(
              Code.UNIMPLEMENTED,
              ErrorReason.ERROR_REASON_METHOD_NOT_FOUND,
              "there is no such method",
              Map.of());
      case Failure.ServiceNotFound() ->
          error(
              Code.NOT_FOUND,
              ErrorReason.ERROR_REASON_SERVICE_NOT_FOUND,
              "there is no such service",
              Map.of());
      case Failure.GrantTokensNotServed() ->
          error(
              Code.UNIMPLEMENTED,
              ErrorReason.ERROR_REASON_GRANT_TOKENS_NOT_SUPPORTED,
              "grant tokens are not served yet",
              Map.of());
      case Failure.KeyVersionNotServed() ->
          error(
              Code.UNIMPLEMENTED,
              ErrorReason.ERROR_REASON_KEY_VERSION_NOT_SUPPORTED,
              "choosing a key version is not served yet",
              Map.of());
      case Failure.ChecksumMismatch(var field) ->
          error(
              Code.INVALID_ARGUMENT,
              ErrorReason.ERROR_REASON_CHECKSUM_MISMATCH,
              field + " does not fit its CRC32C",
              Map.of("field", field));
      case Failure.InvalidPageToken() ->
          error(
              Code.INVALID_ARGUMENT,
              ErrorReason.ERROR_REASON_INVALID_PAGE_TOKEN,
              "page_token is none that this method gave",
              Map.of());
      case Failure.InvalidKeyId(var field, var _) ->
          error(
              Code.INVALID_ARGUMENT,
              ErrorReason.ERROR_REASON_INVALID_KEY_ID,
              field + " does not name a key in a form that is taken here",
              Map.of("field", field));
      case Failure.KeyNotFound(var given) ->
          error(
              Code.NOT_FOUND,
              ErrorReason.ERROR_REASON_KEY_NOT_FOUND,
              "there is no such key",
              Map.of("key_id", given));
      case Failure.AliasNotFound(var alias) ->
          error(
              Code.NOT_FOUND,
              ErrorReason.ERROR_REASON_ALIAS_NOT_FOUND,
              "there is no such alias",
              Map.of("alias_name", alias.name()));
      case Failure.AliasExists(var alias) ->
          error(
              Code.ALREADY_EXISTS,
              ErrorReason.ERROR_REASON_ALIAS_ALREADY_EXISTS,
              "the alias exists",
              Map.of("alias_name", alias.name()));
      case Failure.LimitExceeded(var limit, var maximum) ->
          error(
              Code.RESOURCE_EXHAUSTED,
              ErrorReason.ERROR_REASON_LIMIT_EXCEEDED,
              limit + ": at most " + maximum,
              Map.of("limit", limit, "maximum", Integer.toString(maximum)));
      case Failure.KeyNotUsable(var key, var state) ->
          error(
              Code.FAILED_PRECONDITION,
              ErrorReason.ERROR_REASON_KEY_NOT_USABLE,
              "the key is in state " + state,
              Map.of("key_id", key.value(), "key_state", state.name()));
      case Failure.KeyNotPendingDeletion(var key, var state) ->
          error(
              Code.FAILED_PRECONDITION,
              ErrorReason.ERROR_REASON_KEY_NOT_PENDING_DELETION,
              "the key is in state " + state,
              Map.of("key_id", key.value(), "key_state", state.name()));
      case Failure.InvalidTags(var rule) ->
          error(
              Code.INVALID_ARGUMENT,
              ErrorReason.ERROR_REASON_INVALID_TAG,
              rule,
              Map.of("rule", rule));
      case Failure.AccessKeyNotFound(var id) ->
          error(
              Code.NOT_FOUND,
              ErrorReason.ERROR_REASON_ACCESS_KEY_NOT_FOUND,
              "there is no such access key",
              Map.of("access_key_id", id));
      case Failure.AlgorithmMismatch(var spec, var algorithm) ->
          error(
              Code.INVALID_ARGUMENT,
              ErrorReason.ERROR_REASON_INVALID_KEY_USAGE,
              algorithm + " is not the algorithm of key spec " + spec,
              Map.of("key_spec", spec.name(), "mac_algorithm", algorithm.name()));
      case Failure.InvalidMac() ->
          error(
              Code.INVALID_ARGUMENT,
              ErrorReason.ERROR_REASON_KMS_INVALID_MAC,
              "the MAC is not that of the message under this key",
              Map.of());
      case Failure.ReservedMessage() ->
          error(
              Code.INVALID_ARGUMENT,
              ErrorReason.ERROR_REASON_RESERVED_MESSAGE,
              "the message starts as the messages of check values do, which no caller may have"
                  + " MACs of",
              Map.of());
      case Failure.DryRun() ->
          error(
              Code.FAILED_PRECONDITION,
              ErrorReason.ERROR_REASON_DRY_RUN_OPERATION,
              "the request would have succeeded, but dry_run is set",
              Map.of());
      case Failure.ObjectNotFound() ->
          error(
              Code.NOT_FOUND,
              ErrorReason.ERROR_REASON_TOKEN_OBJECT_NOT_FOUND,
              "no secret key on the token has that label or id",
              Map.of());
      case Failure.ObjectAmbiguous() ->
          error(
              Code.FAILED_PRECONDITION,
              ErrorReason.ERROR_REASON_TOKEN_OBJECT_AMBIGUOUS,
              "more than one secret key on the token has that label or id",
              Map.of());
      case Failure.ObjectUnfit(var unfit) ->
          error(
              Code.FAILED_PRECONDITION,
              ErrorReason.ERROR_REASON_TOKEN_OBJECT_UNFIT,
              unfit.text() + ": " + unfit.remedy(),
              Map.of("attribute", unfit.attribute(), "rule", unfit.rule(), "found", unfit.found()));
      case Failure.ObjectTaken() ->
          error(
              Code.ALREADY_EXISTS,
              ErrorReason.ERROR_REASON_TOKEN_OBJECT_TAKEN,
              "the object backs a key already",
              Map.of());
      case Failure.ObjectReserved() ->
          error(
              Code.PERMISSION_DENIED,
              ErrorReason.ERROR_REASON_TOKEN_OBJECT_RESERVED,
              "the label is reserved for the daemon's own keys",
              Map.of());
      case Failure.MechanismNotSupported(KeySpec spec) ->
          error(
              Code.FAILED_PRECONDITION,
              ErrorReason.ERROR_REASON_MECHANISM_NOT_SUPPORTED,
              "the token has no mechanism for key spec " + spec,
              Map.of("key_spec", spec.name()));
      case Failure.TokenBusy(var bound) ->
          error(
              Code.RESOURCE_EXHAUSTED,
              ErrorReason.ERROR_REASON_TOKEN_BUSY,
              switch (bound) {
                case OF_ALL -> "too many operations wait for the token";
                case OF_CALLER ->
                    "too many calls of this client are in flight: wait for answers before you send"
                        + " more";
              },
              Map.of());
      case Failure.RegistryBusy(var bound) ->
          error(
              Code.RESOURCE_EXHAUSTED,
              ErrorReason.ERROR_REASON_REGISTRY_BUSY,
              switch (bound) {
                case OF_ALL -> "too many changes wait for the registry";
                case OF_CALLER ->
                    "too many calls of this client to the registry are in flight: wait for answers"
                        + " before you send more";
              },
              Map.of());
      case Failure.MemoryBusy(var bound) ->
          error(
              Code.RESOURCE_EXHAUSTED,
              ErrorReason.ERROR_REASON_MEMORY_BUSY,
              switch (bound) {
                case OF_ALL -> "too many requests have not come whole";
                case OF_CALLER ->
                    "too many requests of this client have not come whole: finish them before you"
                        + " send more";
              },
              Map.of());
      case Failure.DeadlineExceeded() ->
          error(
              Code.DEADLINE_EXCEEDED,
              ErrorReason.ERROR_REASON_DEADLINE_EXCEEDED,
              "the deadline passed",
              Map.of());
      case Failure.TokenUnavailable() ->
          error(
              Code.UNAVAILABLE,
              ErrorReason.ERROR_REASON_TOKEN_UNAVAILABLE,
              "the token cannot be used now",
              Map.of());
      case Failure.KeyUnavailable(var key) ->
          error(
              Code.UNAVAILABLE,
              ErrorReason.ERROR_REASON_KEY_UNAVAILABLE,
              "the key cannot be used on the token now",
              Map.of("key_id", key.value()));
      case Failure.RegistryUnavailable() ->
          error(
              Code.UNAVAILABLE,
              ErrorReason.ERROR_REASON_REGISTRY_UNAVAILABLE,
              "the registry cannot be used now",
              Map.of());
      case Failure.Stopping() ->
          error(
              Code.UNAVAILABLE,
              ErrorReason.ERROR_REASON_STOPPING,
              "the daemon is stopping",
              Map.of());
      case Failure.Unforeseen(var _) ->
          error(
              Code.INTERNAL,
              ErrorReason.ERROR_REASON_INTERNAL,
              "an internal fault; the daemon's log has it",
              Map.of());
    };
  }

  private static Ending error(
      Code code, ErrorReason reason, String text, Map<String, String> metadata) {
    String name = reason.name().substring(PREFIX);
    var info =
        ErrorInfo.newBuilder().setReason(name).setDomain(DOMAIN).putAllMetadata(metadata).build();
    StatusException status =
        StatusProto.toStatusException(
            com.google.rpc.Status.newBuilder()
                .setCode(code.getNumber())
                .setMessage(text)
                .addDetails(Any.pack(info))
                .build());
    Metadata trailers = status.getTrailers();
    return new Ending(status.getStatus(), trailers == null ? new Metadata() : trailers, name);
  }
}

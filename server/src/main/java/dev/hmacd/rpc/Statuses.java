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

/// Maps a [Failure] to a gRPC status with one [ErrorInfo]. The reason in the ErrorInfo is API: it
/// is never renamed. Texts are constant, except for values from the request. A text contains no
/// exception text, path or detail of the token. [Retry] decides about a retry.
final class Statuses {
  static final String DOMAIN = "hmacd.dev";

  private Statuses() {}

  record StatusWithTrailers(Status status, Metadata trailers) {}

  /// The status code, text and metadata of a failure.
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
    var details =
        com.google.rpc.Status.newBuilder()
            .setCode(mapping.code().getNumber())
            .setMessage(mapping.text())
            .addDetails(Any.pack(info))
            .addDetails(Any.pack(RequestInfo.newBuilder().setRequestId(requestId).build()));
    Retry retry = Retry.of(failure);
    retry.info().ifPresent(delay -> details.addDetails(Any.pack(delay)));
    StatusException status = StatusProto.toStatusException(details.build());
    Metadata known = status.getTrailers();
    Metadata trailers = known == null ? new Metadata() : known;
    if (retry.isForbidden(mapping.code())) {
      trailers.put(Retry.PUSHBACK, Retry.FORBIDDEN);
    }
    return new StatusWithTrailers(status.getStatus(), trailers);
  }

  // This switch has no default branch: a new kind of failure does not compile until it has a
  // status.
  private static Mapping mapping(Failure failure) {
    return switch (failure) {
      case Failure.Unauthenticated() ->
          new Mapping(
              Code.UNAUTHENTICATED,
              "no valid client identity on this connection: the certificate breaks a rule for"
                  + " client certificates, has expired, or is not trusted",
              Map.of());
      case Failure.Denied(var caller, var action, var _) ->
          new Mapping(
              Code.PERMISSION_DENIED,
              "no rule allows " + caller + " to " + action + " with this key",
              Map.of("principal", caller.name(), "action", action.toString()));
      case Failure.InvalidField(var field, var rule, var given) ->
          new Mapping(
              Code.INVALID_ARGUMENT,
              field + ": " + rule + (given.isEmpty() ? "" : "; the request has " + given),
              Map.of("field", field, "rule", rule));
      case Failure.UnknownField() ->
          new Mapping(
              Code.INVALID_ARGUMENT,
              "the request sets a field that this daemon does not know",
              Map.of());
      case Failure.RequestTooLong(var given, var maximum) ->
          new Mapping(
              Code.RESOURCE_EXHAUSTED,
              "the request has " + given + " bytes, the maximum is " + maximum,
              Map.of("maximum", Integer.toString(maximum)));
      case Failure.MessageTooLong(var given, var maximum) ->
          new Mapping(
              Code.INVALID_ARGUMENT,
              "message: length must be at most "
                  + maximum
                  + " bytes; the request has "
                  + given
                  + " bytes",
              Map.of("maximum", Integer.toString(maximum), "given", Integer.toString(given)));
      case Failure.MethodNotFound() ->
          new Mapping(Code.UNIMPLEMENTED, "there is no such method", Map.of());
      case Failure.ServiceNotFound() ->
          new Mapping(Code.NOT_FOUND, "there is no such service", Map.of());
      case Failure.GrantTokensNotServed() ->
          new Mapping(Code.UNIMPLEMENTED, "grant_tokens is not supported yet", Map.of());
      case Failure.KeyVersionNotServed() ->
          new Mapping(Code.UNIMPLEMENTED, "key_version is not supported yet", Map.of());
      case Failure.ChecksumMismatch(var field) ->
          new Mapping(
              Code.INVALID_ARGUMENT, field + " does not match its CRC32C", Map.of("field", field));
      case Failure.InvalidPageToken() ->
          new Mapping(
              Code.INVALID_ARGUMENT,
              "page_token is not from a response of this method: start at the first page",
              Map.of());
      case Failure.InvalidKeyId(var field, var _) ->
          new Mapping(
              Code.INVALID_ARGUMENT,
              field + " must be a key id or key ARN, or an alias where this method accepts aliases",
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
              Code.INVALID_ARGUMENT, "the MAC does not match the message under this key", Map.of());
      case Failure.ReservedMessage() ->
          new Mapping(
              Code.INVALID_ARGUMENT,
              "the message starts with 'hmacd check value v1' and a zero byte, which is reserved",
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
          new Mapping(Code.ALREADY_EXISTS, "another key uses this token object", Map.of());
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
                case OF_ALL -> "the queue of the token is full: retry later";
                case OF_CALLER ->
                    "too many calls of this client, or of clients of its authority, are in flight:"
                        + " wait for answers before you send more";
              },
              Map.of());
      case Failure.RegistryBusy(var bound) ->
          new Mapping(
              Code.RESOURCE_EXHAUSTED,
              switch (bound) {
                case OF_ALL -> "the queue of the registry is full: retry later";
                case OF_CALLER ->
                    "too many calls of this client to the registry are in flight, or name keys that"
                        + " it may not use: wait for answers, and correct the names of keys, before"
                        + " you send more";
              },
              Map.of());
      case Failure.MemoryBusy(var bound) ->
          new Mapping(
              Code.RESOURCE_EXHAUSTED,
              switch (bound) {
                case OF_ALL -> "the memory for calls is full: retry later";
                case OF_CALLER ->
                    "too many incomplete requests of this client: complete them before you send"
                        + " more";
              },
              Map.of());
      case Failure.DeadlineExceeded() ->
          new Mapping(Code.DEADLINE_EXCEEDED, "the deadline of the call has passed", Map.of());
      case Failure.TokenUnavailable() ->
          new Mapping(Code.UNAVAILABLE, "the token is not available: retry later", Map.of());
      case Failure.KeyUnavailable(var key) ->
          new Mapping(
              Code.UNAVAILABLE,
              "the key is not available on the token",
              Map.of("key_id", key.value()));
      case Failure.RegistryUnavailable() ->
          new Mapping(Code.UNAVAILABLE, "the registry is not available: retry later", Map.of());
      case Failure.Stopping() -> new Mapping(Code.UNAVAILABLE, "the daemon is stopping", Map.of());
      case Failure.Unforeseen(var _) ->
          new Mapping(
              Code.INTERNAL, "internal error: the log of the daemon has the cause", Map.of());
    };
  }
}

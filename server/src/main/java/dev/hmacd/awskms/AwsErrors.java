package dev.hmacd.awskms;

import dev.hmacd.key.Alias;
import dev.hmacd.key.ArnScope;
import dev.hmacd.key.KeyId;
import dev.hmacd.key.KeyReference;
import dev.hmacd.key.KeyState;
import dev.hmacd.usecase.Failure;
import java.util.List;
import java.util.Optional;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/// Maps a [Failure] to the error of AWS. An error text contains only constants, values of the
/// request, and ARNs. An error text contains no exception text, path or detail of the token.
final class AwsErrors {
  /// Form of the id of a multi-region key. The form is valid in AWS, but no key of hmacd has an id
  /// of this form.
  private static final Pattern MULTI_REGION_ID = Pattern.compile("mrk-[0-9a-f]{32}");

  private static final Pattern ARN =
      Pattern.compile("arn:([^:]*):kms:([^:]*):([^:]*):(?:key/(.*)|alias/.*)", Pattern.DOTALL);

  private final ArnScope scope;

  AwsErrors(ArnScope scope) {
    this.scope = scope;
  }

  // No default branch: a new kind of Failure does not compile until this switch maps it to an
  // error.
  AwsError of(Failure failure, String operation, @Nullable OperationInput input) {
    return switch (failure) {
      case Failure.Unauthenticated() -> SignatureErrors.UNKNOWN_KEY;
      case Failure.Denied(var caller, var _, var _) ->
          AwsError.of(
              "AccessDeniedException",
              "User: "
                  + caller
                  + " is not authorized to perform: kms:"
                  + operation
                  + " on resource: "
                  + resource(input)
                  + " because no identity-based policy allows the kms:"
                  + operation
                  + " action");
      case Failure.InvalidField(var field, var rule, var _) ->
          AwsError.validation(field + ": " + rule);
      case Failure.UnknownField(), Failure.RequestTooLong _ -> AwsError.serialization();
      case Failure.MethodNotFound(), Failure.ServiceNotFound() ->
          AwsError.of("UnknownOperationException", null);
      case Failure.GrantTokensNotServed() -> AwsError.of("InvalidGrantTokenException", null);
      case Failure.KeyVersionNotServed() -> AwsError.unsupported(null);
      case Failure.ChecksumMismatch(var field) ->
          AwsError.validation(field + " does not match its checksum");
      case Failure.InvalidPageToken() ->
          AwsError.of("InvalidMarkerException", "Marker is not from a response of this operation.");
      case Failure.InvalidKeyId(var _, var given) -> notFound(invalidKeyId(given));
      case Failure.KeyNotFound(var given) -> notFound(missing(given));
      case Failure.AliasNotFound(var alias) -> notFound(missing(alias));
      case Failure.AliasExists(var alias) ->
          AwsError.of(
              "AlreadyExistsException",
              "An alias with the name " + scope.aliasArn(alias) + " already exists");
      case Failure.LimitExceeded(var limit, var maximum) ->
          AwsError.of("LimitExceededException", limit + ": at most " + maximum);
      case Failure.KeyNotUsable(var key, var state) -> notUsable(key, state);
      case Failure.KeyNotPendingDeletion(var key, var _) ->
          AwsError.of("KMSInvalidStateException", scope.keyArn(key) + " is not pending deletion.");
      case Failure.InvalidTags(var rule) -> AwsError.of("TagException", rule);
      case Failure.AlgorithmMismatch(var spec, var algorithm) ->
          AwsError.of(
              "InvalidKeyUsageException",
              "Algorithm " + algorithm + " is incompatible with key spec " + spec + ".");
      case Failure.MessageTooLong(var _, var maximum) ->
          AwsError.validation("message: length must be at most " + maximum + " bytes");
      case Failure.ReservedMessage() ->
          AwsError.validation(
              "Message starts with 'hmacd check value v1' and a zero byte, which is reserved");
      case Failure.InvalidMac() -> AwsError.of("KMSInvalidMacException", null);
      case Failure.DryRun() ->
          AwsError.of(
              "DryRunOperationException",
              "The request would have succeeded, but the DryRun option is set.");
      // No operation of this edge adopts keys or manages access keys.
      case Failure.AccessKeyNotFound(var _) -> notFound("There is no such access key.");
      case Failure.ObjectNotFound(),
          Failure.ObjectAmbiguous(),
          Failure.ObjectUnfit(var _),
          Failure.ObjectTaken(),
          Failure.ObjectReserved() ->
          AwsError.unsupported(null);
      case Failure.MechanismNotSupported(var spec) ->
          AwsError.unsupported("The token has no mechanism for key spec " + spec + ".");
      case Failure.TokenBusy(var bound) -> throttled(bound, AwsError.throttledAtToken());
      case Failure.RegistryBusy(var bound) -> throttled(bound, AwsError.throttledCaller());
      case Failure.MemoryBusy(var bound) -> throttled(bound, AwsError.throttledCaller());
      case Failure.DeadlineExceeded(), Failure.RegistryUnavailable(), Failure.Stopping() ->
          new AwsError(
              503,
              "DependencyTimeoutException",
              "The system timed out while trying to fulfill the request. You can retry the"
                  + " request.");
      case Failure.TokenUnavailable(), Failure.KeyUnavailable(var _) ->
          new AwsError(
              500,
              "KeyUnavailableException",
              "The request was rejected because the specified KMS key was not available. You can"
                  + " retry the request.");
      case Failure.Unforeseen(var _) ->
          new AwsError(
              500,
              "KMSInternalException",
              "The request was rejected because an internal exception occurred. The request can be"
                  + " retried.");
    };
  }

  private static AwsError throttled(Failure.Bound bound, AwsError ofCaller) {
    return switch (bound) {
      case OF_ALL -> AwsError.throttled();
      case OF_CALLER -> ofCaller;
    };
  }

  private AwsError notUsable(KeyId key, KeyState state) {
    String arn = scope.keyArn(key);
    return switch (state) {
      case ENABLED, UNAVAILABLE ->
          throw new IllegalArgumentException(
              "no AWS error for a KeyNotUsable failure in key state " + state);
      case CREATING -> AwsError.of("KMSInvalidStateException", arn + " is creating.");
      case DISABLED -> AwsError.of("DisabledException", arn + " is disabled.");
      case PENDING_DELETION ->
          AwsError.of("KMSInvalidStateException", arn + " is pending deletion.");
    };
  }

  private static AwsError notFound(String message) {
    return AwsError.of("NotFoundException", message);
  }

  /// The resource of a denied request, as the request names it. An alias is not resolved: the key
  /// of an alias would disclose the existence of the alias.
  private String resource(@Nullable OperationInput input) {
    if (input == null) {
      return "*";
    }
    for (String member : List.of("KeyId", "TargetKeyId", "AliasName")) {
      if (input.value(member) instanceof String given) {
        return KeyReference.parse(given, scope).map(this::arn).orElse("*");
      }
    }
    return "*";
  }

  private String arn(KeyReference name) {
    return switch (name) {
      case KeyReference.Id(var id) -> scope.keyArn(id);
      case KeyReference.OfAlias(var alias) -> scope.aliasArn(alias);
    };
  }

  private String missing(String given) {
    Optional<KeyReference> name = KeyReference.parse(given, scope);
    if (name.isEmpty()) {
      return invalidKeyId(given);
    }
    return switch (name.get()) {
      case KeyReference.Id(var id) -> missingKey(scope.keyArn(id));
      case KeyReference.OfAlias(var alias) -> missing(alias);
    };
  }

  private String missing(Alias alias) {
    return "Alias " + scope.aliasArn(alias) + " is not found.";
  }

  private static String missingKey(String arn) {
    return "Key '" + arn + "' does not exist";
  }

  /// The error text of AWS for a key id or ARN that is malformed, or of another region or account.
  private String invalidKeyId(String given) {
    String id = given;
    if (given.startsWith("arn:")) {
      var arn = ARN.matcher(given);
      if (!arn.matches()) {
        return "Invalid arn " + given;
      }
      if (!arn.group(2).equals(scope.region())) {
        return "Invalid arn " + arn.group(2);
      }
      if (!given.startsWith(scope.prefix())) {
        return missingKey(given);
      }
      if (arn.group(4) == null) {
        return "Alias " + given + " is not found.";
      }
      id = arn.group(4);
    }
    return MULTI_REGION_ID.matcher(id).matches()
        ? missingKey(scope.prefix() + "key/" + id)
        : "Invalid keyId '" + id + "'";
  }
}

package dev.hmacd.usecase;

import dev.hmacd.access.Action;
import dev.hmacd.access.Decision;
import dev.hmacd.access.Principal;
import dev.hmacd.key.Alias;
import dev.hmacd.key.KeyAttributes;
import dev.hmacd.key.KeyId;
import dev.hmacd.key.KeySpec;
import dev.hmacd.key.KeyState;
import dev.hmacd.key.MacAlgorithm;

/// All kinds of failure of a request, independent of the edge.
public sealed interface Failure {
  /// Name of the failure in the contract: a value of `ErrorReason`, without its prefix. A reason is
  /// API, because callers branch on it. Metrics and logs use the same reasons for all edges.
  // No default branch: a new kind of failure does not compile until it has a reason.
  default String reason() {
    return switch (this) {
      case Unauthenticated() -> "UNAUTHENTICATED";
      case Denied _ -> "ACCESS_DENIED";
      case InvalidField _ -> "INVALID_FIELD";
      case UnknownField() -> "UNKNOWN_FIELD";
      case RequestTooLong _ -> "REQUEST_TOO_LONG";
      case MessageTooLong _ -> "MESSAGE_TOO_LONG";
      case MethodNotFound() -> "METHOD_NOT_FOUND";
      case ServiceNotFound() -> "SERVICE_NOT_FOUND";
      case GrantTokensNotServed() -> "GRANT_TOKENS_NOT_SUPPORTED";
      case KeyVersionNotServed() -> "KEY_VERSION_NOT_SUPPORTED";
      case ChecksumMismatch _ -> "CHECKSUM_MISMATCH";
      case InvalidPageToken() -> "INVALID_PAGE_TOKEN";
      case InvalidKeyId _ -> "INVALID_KEY_ID";
      case KeyNotFound _ -> "KEY_NOT_FOUND";
      case AliasNotFound _ -> "ALIAS_NOT_FOUND";
      case AliasExists _ -> "ALIAS_ALREADY_EXISTS";
      case LimitExceeded _ -> "LIMIT_EXCEEDED";
      case KeyNotUsable _ -> "KEY_NOT_USABLE";
      case KeyNotPendingDeletion _ -> "KEY_NOT_PENDING_DELETION";
      case InvalidTags _ -> "INVALID_TAG";
      case AccessKeyNotFound _ -> "ACCESS_KEY_NOT_FOUND";
      case AlgorithmMismatch _ -> "INVALID_KEY_USAGE";
      case InvalidMac() -> "KMS_INVALID_MAC";
      case ReservedMessage() -> "RESERVED_MESSAGE";
      case DryRun() -> "DRY_RUN_OPERATION";
      case ObjectNotFound() -> "TOKEN_OBJECT_NOT_FOUND";
      case ObjectAmbiguous() -> "TOKEN_OBJECT_AMBIGUOUS";
      case ObjectUnfit _ -> "TOKEN_OBJECT_UNFIT";
      case ObjectTaken() -> "TOKEN_OBJECT_TAKEN";
      case ObjectReserved() -> "TOKEN_OBJECT_RESERVED";
      case MechanismNotSupported _ -> "MECHANISM_NOT_SUPPORTED";
      case TokenBusy _ -> "TOKEN_BUSY";
      case RegistryBusy _ -> "REGISTRY_BUSY";
      case MemoryBusy _ -> "MEMORY_BUSY";
      case DeadlineExceeded() -> "DEADLINE_EXCEEDED";
      case TokenUnavailable() -> "TOKEN_UNAVAILABLE";
      case KeyUnavailable _ -> "KEY_UNAVAILABLE";
      case RegistryUnavailable() -> "REGISTRY_UNAVAILABLE";
      case Stopping() -> "STOPPING";
      case Unforeseen _ -> "INTERNAL";
    };
  }

  /// A field breaks a rule of the contract.
  ///
  /// @param field name of the field in the contract, e.g. `message`
  /// @param rule the rule, e.g. `length must be 1 to 6144 bytes`
  /// @param given the value or length in the request, e.g. `6145 bytes`; empty if the error text
  ///   does not repeat it
  record InvalidField(String field, String rule, String given) implements Failure {
    public InvalidField(String field, String rule) {
      this(field, rule, "");
    }
  }

  /// The request sets a field that is not in the contract.
  record UnknownField() implements Failure {}

  /// The request is longer than `maximum` bytes.
  ///
  /// @param given length of the request in bytes
  record RequestTooLong(long given, int maximum) implements Failure {}

  /// The message of a MAC is longer than `maximum` bytes.
  ///
  /// @param given length of the message in bytes
  record MessageTooLong(int given, int maximum) implements Failure {
    /// The failure of a message that the token refuses. The token reports no limit: it is certainly
    /// less than the length of this message.
    static MessageTooLong forTheToken(int given) {
      return new MessageTooLong(given, given - 1);
    }
  }

  /// The requested method does not exist.
  record MethodNotFound() implements Failure {}

  /// The request for a health check names an unknown service.
  record ServiceNotFound() implements Failure {}

  record GrantTokensNotServed() implements Failure {}

  record KeyVersionNotServed() implements Failure {}

  /// The CRC32C in the request does not match the field.
  record ChecksumMismatch(String field) implements Failure {}

  record InvalidPageToken() implements Failure {}

  /// The field does not have the form of a key id, key ARN or, if the method allows it, an alias.
  record InvalidKeyId(String field, String given) implements Failure {}

  /// The key does not exist. Only callers with the right to describe all keys get this failure.
  ///
  /// @param given the name of the key in the request
  record KeyNotFound(String given) implements Failure {}

  record AliasNotFound(Alias alias) implements Failure {}

  record AliasExists(Alias alias) implements Failure {}

  /// A quota is reached, such as the maximum number of aliases of one key.
  ///
  /// @param limit the limited quantity, e.g. `aliases of one key`
  record LimitExceeded(String limit, int maximum) implements Failure {}

  /// The client has no valid identity: for example, the certificate breaks a rule for client
  /// certificates, has expired, or is not trusted.
  record Unauthenticated() implements Failure {}

  /// No access rule allows the action. A request for a missing key gets the same failure, unless
  /// the caller may describe all keys.
  record Denied(Principal caller, Action action, Decision.Denied decision) implements Failure {}

  record KeyNotUsable(KeyId key, KeyState state) implements Failure {}

  record KeyNotPendingDeletion(KeyId key, KeyState state) implements Failure {}

  /// A tag is not valid, or the tags are not valid together.
  ///
  /// @param rule the broken rule, in the wording of AWS KMS
  record InvalidTags(String rule) implements Failure {}

  record AccessKeyNotFound(String accessKeyId) implements Failure {}

  record AlgorithmMismatch(KeySpec spec, MacAlgorithm algorithm) implements Failure {}

  record InvalidMac() implements Failure {}

  /// The message has the prefix that is reserved for check values.
  record ReservedMessage() implements Failure {}

  /// The call would have succeeded, but the caller requested a dry run.
  record DryRun() implements Failure {}

  record ObjectNotFound() implements Failure {}

  record ObjectAmbiguous() implements Failure {}

  record ObjectUnfit(KeyAttributes.Unfit unfit) implements Failure {}

  record ObjectTaken() implements Failure {}

  record ObjectReserved() implements Failure {}

  /// The token cannot generate or use a key of this spec.
  record MechanismNotSupported(KeySpec spec) implements Failure {}

  /// Scope of a limit that was reached.
  enum Bound {
    /// The limit for all callers together was reached.
    OF_ALL,
    /// The limit for one caller was reached. The callers of one authority share the places in the
    /// queue of a token, so this can also be the limit for the callers of its authority.
    OF_CALLER
  }

  record TokenBusy(Bound bound) implements Failure {}

  record RegistryBusy(Bound bound) implements Failure {}

  /// The memory limit for partially received requests was reached, or no memory is left for the
  /// answer.
  record MemoryBusy(Bound bound) implements Failure {}

  record DeadlineExceeded() implements Failure {}

  record TokenUnavailable() implements Failure {}

  /// The key is not usable on the token: the object is missing, several objects match, the
  /// attributes do not permit MACs, or the object is another key.
  record KeyUnavailable(KeyId key) implements Failure {}

  record RegistryUnavailable() implements Failure {}

  record Stopping() implements Failure {}

  /// An unexpected exception in the daemon.
  ///
  /// @param cause the exception, which is logged and never sent to the caller
  record Unforeseen(Throwable cause) implements Failure {}
}

package dev.hmacd.mac;

import dev.hmacd.access.Action;
import dev.hmacd.access.Principal;
import dev.hmacd.key.Alias;
import dev.hmacd.key.KeyAttributes;
import dev.hmacd.key.KeyId;
import dev.hmacd.key.KeySpec;
import dev.hmacd.key.KeyState;
import dev.hmacd.key.MacAlgorithm;

/// Everything that can go wrong with a request, in the words of the domain.
public sealed interface Failure {
  /// A field breaks a rule of the contract.
  ///
  /// @param field the contract's name of the field, e.g. `message`
  /// @param rule what holds for it, e.g. `length must be 1 to 4096 bytes`
  record InvalidField(String field, String rule) implements Failure {}

  /// The request sets a field that nobody knows.
  record UnknownField() implements Failure {}

  /// The request has more bytes than are taken.
  record RequestTooLong(int maximum) implements Failure {}

  /// There is no such method.
  record MethodNotFound() implements Failure {}

  /// Nobody can tell the health of such a service.
  record ServiceNotFound() implements Failure {}

  record GrantTokensNotServed() implements Failure {}

  record KeyVersionNotServed() implements Failure {}

  /// A CRC32C does not fit its field.
  record ChecksumMismatch(String field) implements Failure {}

  record InvalidPageToken() implements Failure {}

  /// The field has none of the forms in which a key can be named there.
  record InvalidKeyId(String field, String given) implements Failure {}

  /// There is no such key; only for callers who may describe every key.
  ///
  /// @param given the name as the caller gave it
  record KeyNotFound(String given) implements Failure {}

  record AliasNotFound(Alias alias) implements Failure {}

  record AliasExists(Alias alias) implements Failure {}

  /// A quota is reached.
  ///
  /// @param limit what is limited, e.g. `aliases of one key`
  record LimitExceeded(String limit, int maximum) implements Failure {}

  /// The caller's connection names no principal that holds now.
  record Unauthenticated() implements Failure {}

  /// No rule allows it; the same for keys that do not exist.
  record Denied(Principal caller, Action action) implements Failure {}

  record KeyNotUsable(KeyId key, KeyState state) implements Failure {}

  record KeyNotPendingDeletion(KeyId key, KeyState state) implements Failure {}

  /// The tags cannot be put on a key together.
  ///
  /// @param rule what the tags break, in AWS KMS's words
  record InvalidTags(String rule) implements Failure {}

  record AccessKeyNotFound(String accessKeyId) implements Failure {}

  record AlgorithmMismatch(KeySpec spec, MacAlgorithm algorithm) implements Failure {}

  record InvalidMac() implements Failure {}

  /// It would have succeeded, but the caller asked for a dry run.
  record DryRun() implements Failure {}

  record ObjectNotFound() implements Failure {}

  record ObjectAmbiguous() implements Failure {}

  record ObjectUnfit(KeyAttributes.Unfit unfit) implements Failure {}

  record ObjectTaken() implements Failure {}

  record ObjectReserved() implements Failure {}

  /// The token cannot make or use such a key.
  record MechanismNotSupported(KeySpec spec) implements Failure {}

  record TokenBusy() implements Failure {}

  record RegistryBusy() implements Failure {}

  /// Requests that have not come whole fill the memory that there is for them.
  record MemoryBusy() implements Failure {}

  record DeadlineExceeded() implements Failure {}

  record TokenUnavailable() implements Failure {}

  /// The key's object is missing on the token, or is not what it was.
  record KeyUnavailable(KeyId key) implements Failure {}

  record RegistryUnavailable() implements Failure {}

  record Stopping() implements Failure {}

  /// Nobody foresaw it.
  ///
  /// @param cause for the log, never for the caller
  record Unforeseen(Throwable cause) implements Failure {}
}

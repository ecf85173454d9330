package dev.hmacd.awskms;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// All operations of AWS KMS by their names: those that are served, and those that are refused as
/// not served. What is in neither does not exist.
final class Operations {
  private static final String TARGET_PREFIX = "TrentService.";

  /// Those that could be about MAC keys, and those that could not.
  private static final List<String> UNSUPPORTED =
      List.of(
          "CancelKeyDeletion",
          "CreateGrant",
          "DeleteImportedKeyMaterial",
          "DisableKey",
          "EnableKey",
          "GenerateRandom",
          "GetKeyLastUsage",
          "GetKeyPolicy",
          "GetParametersForImport",
          "ImportKeyMaterial",
          "ListGrants",
          "ListKeyPolicies",
          "ListResourceTags",
          "ListRetirableGrants",
          "PutKeyPolicy",
          "RetireGrant",
          "RevokeGrant",
          "ScheduleKeyDeletion",
          "TagResource",
          "UntagResource",
          "UpdateKeyDescription",
          "ConnectCustomKeyStore",
          "CreateCustomKeyStore",
          "Decrypt",
          "DeleteCustomKeyStore",
          "DescribeCustomKeyStores",
          "DisableKeyRotation",
          "DisconnectCustomKeyStore",
          "EnableKeyRotation",
          "GetKeyRotationStatus",
          "GetPublicKey",
          "ListKeyRotations",
          "ReEncrypt",
          "ReplicateKey",
          "RotateKeyOnDemand",
          "UpdateCustomKeyStore",
          "UpdatePrimaryRegion");

  private final Map<String, Operation> byTarget = new HashMap<>();

  Operations(List<Operation> served) {
    served.forEach(this::add);
    UNSUPPORTED.forEach(name -> add(Operation.unsupported(name)));
  }

  private void add(Operation operation) {
    if (byTarget.put(TARGET_PREFIX + operation.name(), operation) != null) {
      throw new IllegalStateException(operation.name() + " is in the table twice");
    }
  }

  /// The operation that a request is for.
  ///
  /// @param target the value of `X-Amz-Target`
  Optional<Operation> find(String target) {
    return Optional.ofNullable(byTarget.get(target));
  }
}

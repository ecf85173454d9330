package dev.hmacd.awskms;

import dev.hmacd.key.ArnScope;
import dev.hmacd.usecase.UseCases;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

/// All operations of AWS KMS by name, supported or not. Any other name is an unknown operation.
final class OperationTable {
  private static final String TARGET_PREFIX = "TrentService.";

  /// Operations that AWS supports for MAC keys, and hmacd does not support yet.
  private static final List<String> NOT_YET =
      List.of(
          "CreateGrant",
          "DeleteImportedKeyMaterial",
          "GetKeyLastUsage",
          "GetParametersForImport",
          "ImportKeyMaterial",
          "ListGrants",
          "ListRetirableGrants",
          "PutKeyPolicy",
          "RetireGrant",
          "RevokeGrant");

  /// Operations that AWS refuses for MAC keys. For these operations, AWS sends an error without a
  /// message.
  private static final List<String> NEVER =
      List.of(
          "ConnectCustomKeyStore",
          "CreateCustomKeyStore",
          "Decrypt",
          "DeleteCustomKeyStore",
          "DescribeCustomKeyStores",
          "DisableKeyRotation",
          "DisconnectCustomKeyStore",
          "EnableKeyRotation",
          "GetPublicKey",
          "ListKeyRotations",
          "ReEncrypt",
          "ReplicateKey",
          "RotateKeyOnDemand",
          "UpdateCustomKeyStore",
          "UpdatePrimaryRegion");

  private final Map<String, Operation> byTarget = new HashMap<>();

  private OperationTable(List<Operation> served) {
    served.forEach(this::add);
    NOT_YET.forEach(
        name -> add(Operation.refused(name, AwsError.unsupported(name + " is not supported."))));
    NEVER.forEach(name -> add(Operation.refused(name, AwsError.unsupported(null))));
  }

  static OperationTable of(UseCases useCases) {
    ArnScope scope = useCases.keys().scope();
    return new OperationTable(
        Stream.of(
                new MacOperations(useCases.macs()).all(),
                new KeyOperations(useCases.keys()).all(),
                new KeyPolicyOperations(useCases.keys()).all(),
                new KeyStateOperations(useCases.states(), scope).all(),
                new AliasOperations(useCases.aliases(), scope).all(),
                new TagOperations(useCases.tags()).all(),
                new RandomOperations(useCases.random()).all())
            .flatMap(List::stream)
            .toList());
  }

  private void add(Operation operation) {
    if (byTarget.put(TARGET_PREFIX + operation.name(), operation) != null) {
      throw new IllegalStateException(operation.name() + " is in the operation table twice");
    }
  }

  /// The operation that a request names; empty if the name is unknown.
  ///
  /// @param target the value of `X-Amz-Target`
  Optional<Operation> find(String target) {
    return Optional.ofNullable(byTarget.get(target));
  }
}

package dev.hmacd.mac;

import dev.hmacd.key.MacAlgorithm;

/// What `GenerateMac` and `VerifyMac` have in common; a value that exists has the shape that AWS
/// KMS asks for.
public final class MacRequest {
  /// AWS KMS's limits of the fields, in bytes and characters.
  public static final int MAX_MESSAGE_BYTES = 4096;

  public static final int MAX_MAC_BYTES = 6144;

  private final String keyId;
  private final byte[] message;
  private final MacAlgorithm algorithm;
  private final boolean dryRun;

  /// @param keyId key id, key ARN, alias name or alias ARN
  /// @param message not copied: the caller gives it away
  /// @throws Refusal [Failure.InvalidField]
  public MacRequest(String keyId, byte[] message, MacAlgorithm algorithm, boolean dryRun) {
    Shape.keyId("key_id", keyId);
    Shape.bytes("message", message.length, MAX_MESSAGE_BYTES);
    this.keyId = keyId;
    this.message = message;
    this.algorithm = algorithm;
    this.dryRun = dryRun;
  }

  String keyId() {
    return keyId;
  }

  byte[] message() {
    return message;
  }

  MacAlgorithm algorithm() {
    return algorithm;
  }

  boolean isDryRun() {
    return dryRun;
  }
}

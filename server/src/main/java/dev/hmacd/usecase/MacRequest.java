package dev.hmacd.usecase;

import dev.hmacd.key.KeyCheckValue;
import dev.hmacd.key.MacAlgorithm;

/// The common fields of `GenerateMac` and `VerifyMac`, validated by the rules of AWS KMS.
public final class MacRequest {
  /// Maximum lengths of the message and the MAC in bytes, as in AWS KMS.
  private static final int MAX_MESSAGE_BYTES = 4096;

  static final int MAX_MAC_BYTES = 6144;

  private final String keyId;
  private final byte[] message;
  private final MacAlgorithm algorithm;
  private final boolean dryRun;

  /// @param keyId key id, key ARN, alias name or alias ARN
  /// @param message the message; not copied, so the caller must not change the array
  /// @throws Refusal [Failure.InvalidField]; [Failure.ReservedMessage] for a message with the
  ///   prefix of check values: the message's MAC would permit the substitution of one key for
  ///   another
  public MacRequest(String keyId, byte[] message, MacAlgorithm algorithm, boolean dryRun) {
    FieldValidation.keyId("key_id", keyId);
    FieldValidation.bytes("message", message.length, MAX_MESSAGE_BYTES);
    if (KeyCheckValue.isReserved(message)) {
      throw new Refusal(new Failure.ReservedMessage());
    }
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

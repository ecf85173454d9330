package dev.hmacd.usecase;

import dev.hmacd.key.KeyCheckValue;
import dev.hmacd.key.MacAlgorithm;

/// The common fields of `GenerateMac` and `VerifyMac`, validated by the rules of AWS KMS, except
/// for the maximum length of the message.
public final class MacRequest {
  /// Maximum length of the MAC in bytes, as in AWS KMS.
  static final int MAX_MAC_BYTES = 6144;

  private final String keyId;
  private final byte[] message;
  private final MacAlgorithm algorithm;
  private final boolean dryRun;

  /// @param keyId key id, key ARN, alias name or alias ARN
  /// @param message the message; not copied, so the caller must not change the array
  /// @param maxMessageBytes maximum length of the message over the edge of the request
  /// @throws Refusal [Failure.InvalidField]; [Failure.MessageTooLong]; [Failure.ReservedMessage]
  ///   for a message with the prefix of check values: the message's MAC would permit the
  ///   substitution of one key for another
  public MacRequest(
      String keyId, byte[] message, MacAlgorithm algorithm, boolean dryRun, int maxMessageBytes) {
    FieldValidation.keyId("key_id", keyId);
    FieldValidation.message(message.length, maxMessageBytes);
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

package dev.hmacd.vectors;

import dev.hmacd.key.MacAlgorithm;
import java.util.Arrays;
import java.util.HexFormat;

/// A published test case.
///
/// @param name file and number, e.g. `hmac_sha256_test.json #7`
/// @param macHex the MAC, or its first bytes
/// @param valid whether the MAC is valid
record MacVector(
    String name,
    MacAlgorithm algorithm,
    String keyHex,
    String messageHex,
    String macHex,
    boolean valid) {
  private static final int MAX_MESSAGE_BYTES = 65_536;

  byte[] key() {
    return HexFormat.of().parseHex(keyHex);
  }

  byte[] message() {
    return HexFormat.of().parseHex(messageHex);
  }

  byte[] mac() {
    return HexFormat.of().parseHex(macHex);
  }

  boolean isTruncated() {
    return mac().length < algorithm.macBytes();
  }

  /// Whether the contract permits the length of the message.
  boolean isMessageServed() {
    return message().length >= 1 && message().length <= MAX_MESSAGE_BYTES;
  }

  /// Whether a full MAC begins with the MAC of the case.
  boolean agrees(byte[] full) {
    return Arrays.equals(Arrays.copyOf(full, mac().length), mac());
  }

  @Override
  public String toString() {
    return name;
  }
}

package dev.hmacd.key;

import java.util.HexFormat;

/// One of the daemon's own keys on a token, which no caller can use.
///
/// @param knownAnswerHex the known answer, in lowercase hex: a MAC under the new key, which
///   identifies the key
public record DaemonKey(Purpose purpose, KeyObject object, String knownAnswerHex) {
  /// The purpose of one of the daemon's own keys.
  public enum Purpose {
    /// The probe key: the health check computes a MAC under it and compares the MAC with the known
    /// answer.
    PROBE,
    /// The key that derives the secrets of access keys: each secret comes from a MAC under this
    /// key.
    ACCESS_KEYS
  }

  public byte[] knownAnswer() {
    return HexFormat.of().parseHex(knownAnswerHex);
  }

  /// The label of the object of the key with this purpose. The label is reserved: callers can
  /// neither adopt nor name the object.
  public static String label(Purpose purpose) {
    return KeyObject.RESERVED_PREFIX + purpose.name().toLowerCase(java.util.Locale.ROOT);
  }
}

package dev.hmacd.key;

import java.util.HexFormat;

/// One of the daemon's own keys on a token, which no caller can use.
///
/// @param knownAnswerHex the known answer: a MAC of the new key, in lowercase hex, that identifies
///   the key
public record DaemonKey(Purpose purpose, KeyObject object, String knownAnswerHex) {
  /// The purpose of one of the daemon's own keys.
  public enum Purpose {
    /// The probe key: the health check computes a MAC under it and compares the MAC with the known
    /// answer.
    PROBE,
    /// The key for secrets of access keys, which are MACs under it.
    ACCESS_KEYS
  }

  public byte[] knownAnswer() {
    return HexFormat.of().parseHex(knownAnswerHex);
  }

  /// The object's label for a purpose. The label is reserved: callers can neither adopt nor name
  /// the object.
  public static String label(Purpose purpose) {
    return KeyObject.RESERVED_PREFIX + purpose.name().toLowerCase(java.util.Locale.ROOT);
  }
}

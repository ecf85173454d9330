package dev.hmacd.key;

import java.util.HexFormat;

/// A key of the daemon's own on a token.
///
/// @param knownAnswerHex a MAC that the key gave when it was made, in lowercase hex, by which it is
///   known again
public record OwnKey(Purpose purpose, KeyObject object, String knownAnswerHex) {
  /// What the daemon has keys of its own for.
  public enum Purpose {
    /// Health: a MAC under it is computed on a schedule and compared with the known answer.
    PROBE,
    /// Secrets of access keys are MACs under it.
    ACCESS_KEYS
  }

  public byte[] knownAnswer() {
    return HexFormat.of().parseHex(knownAnswerHex);
  }

  /// The object's name for a purpose; reserved, so that it can be neither adopted nor named.
  public static String label(Purpose purpose) {
    return KeyObject.RESERVED_PREFIX + purpose.name().toLowerCase(java.util.Locale.ROOT);
  }
}

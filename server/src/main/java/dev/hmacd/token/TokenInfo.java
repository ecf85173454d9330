package dev.hmacd.token;

import java.util.OptionalLong;

/// Description of a token (`C_GetTokenInfo`).
///
/// @param maxSessions maximum number of sessions; empty if the token has no limit or does not
///   report it
public record TokenInfo(
    String label, String serial, String manufacturer, String model, OptionalLong maxSessions) {

  /// Label and serial number, for error texts.
  String name() {
    return "\"" + label + "\" (serial \"" + serial + "\")";
  }

  /// Removes the padding of a PKCS#11 string of fixed length. Padding is on the right only: blanks,
  /// and NUL on some tokens. A leading blank belongs to the string.
  static String unpadded(String text) {
    int end = text.length();
    while (end > 0 && (text.charAt(end - 1) == ' ' || text.charAt(end - 1) == '\0')) {
      end--;
    }
    return text.substring(0, end);
  }
}

package dev.hmacd.log;

import java.util.HexFormat;

/// The escapes of strings in log lines, in the syntax of JSON (RFC 8259, section 7).
///
/// An escaped string contains no quote, no line break of any kind, no control character and no
/// character that changes the direction or the visibility of text. So a value from a caller can end
/// neither its field nor its line, and cannot control a terminal.
final class LogEscapes {
  private LogEscapes() {}

  /// Appends a string in quotes, with escapes.
  static void appendQuoted(StringBuilder line, String text) {
    line.append('"');
    append(line, text);
    line.append('"');
  }

  /// Appends a string with escapes, without quotes.
  static void append(StringBuilder line, String text) {
    int next;
    for (int i = 0; i < text.length(); i = next) {
      int code = text.codePointAt(i);
      next = i + Character.charCount(code);
      switch (code) {
        case '"' -> line.append("\\\"");
        case '\\' -> line.append("\\\\");
        case '\n' -> line.append("\\n");
        case '\r' -> line.append("\\r");
        case '\t' -> line.append("\\t");
        default -> {
          if (isSafe(code)) {
            line.appendCodePoint(code);
          } else {
            appendHex(line, text, i, next);
          }
        }
      }
    }
  }

  private static boolean isSafe(int code) {
    return switch (Character.getType(code)) {
      case Character.CONTROL,
          Character.FORMAT,
          Character.LINE_SEPARATOR,
          Character.PARAGRAPH_SEPARATOR,
          Character.SURROGATE ->
          false;
      default -> true;
    };
  }

  private static void appendHex(StringBuilder line, String text, int from, int to) {
    for (int i = from; i < to; i++) {
      line.append('\\').append('u').append(HexFormat.of().toHexDigits(text.charAt(i)));
    }
  }
}

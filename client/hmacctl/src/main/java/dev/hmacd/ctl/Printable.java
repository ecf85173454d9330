package dev.hmacd.ctl;

/// Makes text safe for a terminal: it stays on its line, and has no control characters.
final class Printable {
  private Printable() {}

  /// The text with every control character as a JSON escape.
  static String of(String text) {
    var printable = new StringBuilder(text.length());
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (Character.isISOControl(c)) {
        Json.escape(c, printable);
      } else {
        printable.append(c);
      }
    }
    return printable.toString();
  }
}

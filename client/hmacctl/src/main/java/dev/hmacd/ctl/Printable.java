package dev.hmacd.ctl;

/// Makes text safe for a terminal: replaces control characters, so that the text stays on its line.
final class Printable {
  private Printable() {}

  /// Returns the text with every control character replaced by a JSON escape.
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

package dev.hmacd.ctl;

/// Text that stays on its line, and cannot take control of a terminal.
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

package dev.hmacd.ctl;

import java.util.Iterator;
import java.util.Locale;
import java.util.Map;

/// Writes JSON (RFC 8259), indented by four spaces as in the AWS CLI. A JSON library would slow the
/// start of hmacctl.
final class Json {
  private Json() {}

  static String render(Value value) {
    var json = new StringBuilder();
    write(value, "\n", json);
    return json.append('\n').toString();
  }

  /// Writes a character as a JSON escape.
  static void escape(char c, StringBuilder json) {
    switch (c) {
      case '\n' -> json.append("\\n");
      case '\r' -> json.append("\\r");
      case '\t' -> json.append("\\t");
      default -> json.append(String.format(Locale.ROOT, "\\u%04x", (int) c));
    }
  }

  /// @param newLine the line feed and the indentation of the value
  private static void write(Value value, String newLine, StringBuilder json) {
    String inner = newLine + "    ";
    if (value instanceof Value.Scalar scalar) {
      if (scalar.value() instanceof String text) {
        write(text, json);
      } else {
        json.append(scalar.value());
      }
    } else if (value instanceof Value.Items list) {
      Iterator<Value> items = list.items().iterator();
      json.append('[');
      while (items.hasNext()) {
        json.append(inner);
        write(items.next(), inner, json);
        json.append(items.hasNext() ? "," : newLine);
      }
      json.append(']');
    } else if (value instanceof Value.Members object) {
      Iterator<Map.Entry<String, Value>> members = object.members().entrySet().iterator();
      json.append('{');
      while (members.hasNext()) {
        Map.Entry<String, Value> member = members.next();
        json.append(inner);
        write(member.getKey(), json);
        json.append(": ");
        write(member.getValue(), inner, json);
        json.append(members.hasNext() ? "," : newLine);
      }
      json.append('}');
    }
  }

  private static void write(String text, StringBuilder json) {
    json.append('"');
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (c == '"' || c == '\\') {
        json.append('\\').append(c);
      } else if (Character.isISOControl(c) || unpaired(text, i)) {
        escape(c, json);
      } else {
        json.append(c);
      }
    }
    json.append('"');
  }

  /// Whether a character is an unpaired surrogate, which UTF-8 cannot encode.
  private static boolean unpaired(String text, int i) {
    char c = text.charAt(i);
    if (Character.isHighSurrogate(c)) {
      return i + 1 == text.length() || !Character.isLowSurrogate(text.charAt(i + 1));
    }
    return Character.isLowSurrogate(c)
        && (i == 0 || !Character.isHighSurrogate(text.charAt(i - 1)));
  }
}

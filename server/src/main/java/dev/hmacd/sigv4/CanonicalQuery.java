package dev.hmacd.sigv4;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;

/// The parsed query string of a request, in the canonical form of SigV4.
final class CanonicalQuery {
  static final String SIGNATURE = "X-Amz-Signature";
  private static final CanonicalQuery NONE = new CanonicalQuery(List.of());
  private static final char[] HEX = "0123456789ABCDEF".toCharArray();

  /// A query parameter: name and value, decoded and in the canonical encoding. Each character of a
  /// decoded text is a byte (ISO 8859-1).
  private record Parameter(String name, String value, String encodedName, String encodedValue) {}

  private final List<Parameter> parameters;

  private CanonicalQuery(List<Parameter> parameters) {
    this.parameters = parameters;
  }

  /// Reads a query string.
  ///
  /// @throws SigV4Exception if a percent sign is not followed by two hexadecimal digits
  static CanonicalQuery of(String query) {
    if (query.isEmpty()) {
      return NONE;
    }
    List<Parameter> parameters = new ArrayList<>();
    for (String part : query.split("&", -1)) {
      if (!part.isEmpty()) {
        int equals = part.indexOf('=');
        String name = decode(equals < 0 ? part : part.substring(0, equals));
        String value = equals < 0 ? "" : decode(part.substring(equals + 1));
        parameters.add(new Parameter(name, value, encode(name), encode(value)));
      }
    }
    return new CanonicalQuery(parameters);
  }

  boolean has(String name) {
    return parameters.stream().anyMatch(each -> each.name().equals(name));
  }

  /// The value of a parameter; empty if the query string does not have the parameter.
  ///
  /// @throws SigV4Exception if the query string has the parameter more than once
  Optional<String> only(String name) {
    List<Parameter> found = parameters.stream().filter(each -> each.name().equals(name)).toList();
    if (found.size() > 1) {
      throw SigV4Exception.incomplete("'" + name + "' is given more than once.");
    }
    return found.stream().map(Parameter::value).findFirst();
  }

  /// The canonical query string: all parameters except the signature, in the canonical encoding,
  /// sorted by name and value.
  String text() {
    if (parameters.isEmpty()) {
      return "";
    }
    List<Parameter> sorted = new ArrayList<>(parameters);
    sorted.removeIf(each -> each.name().equals(SIGNATURE));
    sorted.sort(
        Comparator.comparing(Parameter::encodedName).thenComparing(Parameter::encodedValue));
    var text = new StringBuilder();
    for (Parameter each : sorted) {
      if (!text.isEmpty()) {
        text.append('&');
      }
      text.append(each.encodedName()).append('=').append(each.encodedValue());
    }
    return text.toString();
  }

  private static String decode(String text) {
    if (text.indexOf('%') < 0) {
      return text;
    }
    var plain = new StringBuilder(text.length());
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (c == '%') {
        int high = i + 2 < text.length() ? Character.digit(text.charAt(i + 1), 16) : -1;
        int low = i + 2 < text.length() ? Character.digit(text.charAt(i + 2), 16) : -1;
        if (high < 0 || low < 0) {
          throw SigV4Exception.incomplete(
              "The query has a percent sign without two hexadecimal digits.");
        }
        plain.append((char) (high << 4 | low));
        i += 2;
      } else {
        plain.append(c);
      }
    }
    return plain.toString();
  }

  /// Percent-encodes all characters except the unreserved characters (RFC 3986, section 2.3).
  private static String encode(String plain) {
    StringBuilder text = null;
    for (int i = 0; i < plain.length(); i++) {
      char c = plain.charAt(i);
      if (isUnreserved(c)) {
        if (text != null) {
          text.append(c);
        }
      } else {
        if (text == null) {
          text = new StringBuilder(plain.length() + 16).append(plain, 0, i);
        }
        text.append('%').append(HEX[c >> 4 & 0xf]).append(HEX[c & 0xf]);
      }
    }
    return text == null ? plain : text.toString();
  }

  private static boolean isUnreserved(char c) {
    return (c >= 'A' && c <= 'Z')
        || (c >= 'a' && c <= 'z')
        || (c >= '0' && c <= '9')
        || c == '-'
        || c == '.'
        || c == '_'
        || c == '~';
  }
}

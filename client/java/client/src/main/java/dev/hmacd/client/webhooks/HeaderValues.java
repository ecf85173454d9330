package dev.hmacd.client.webhooks;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.hmacd.client.InvalidMacException;
import java.util.Base64;
import java.util.HexFormat;
import java.util.List;
import java.util.regex.Pattern;

/// Reads the values of headers. The name of the header is for the text of the exception.
final class HeaderValues {
  /// The length of a MAC of HMAC_SHA_256.
  private static final int MAC_BYTES = 32;

  private static final Pattern TIME = Pattern.compile("0|[1-9][0-9]{0,11}");

  private HeaderValues() {}

  /// Returns the only value of a header. Of a repeated header, the application could use another
  /// value than the verified one.
  static String single(WebhookHeaders headers, String name) {
    List<String> values = headers.values(name);
    if (values == null || values.isEmpty()) {
      throw InvalidMacException.withoutCall("the header " + name + " is missing");
    }
    if (values.size() > 1) {
      throw InvalidMacException.withoutCall("the header " + name + " is repeated");
    }
    return values.get(0);
  }

  /// Returns the time stamp if it is a number of seconds, without a sign or a leading zero.
  static String time(String name, String text) {
    if (!TIME.matcher(text).matches()) {
      throw malformed(name);
    }
    return text;
  }

  /// Decodes the MAC after the prefix.
  static byte[] hex(String name, String text, String prefix) {
    if (!text.startsWith(prefix)) {
      throw malformed(name);
    }
    try {
      return checkLength(name, HexFormat.of().parseHex(text, prefix.length(), text.length()));
    } catch (IllegalArgumentException e) {
      throw malformed(name);
    }
  }

  /// Decodes a MAC from canonical base64.
  static byte[] base64(String name, String text) {
    byte[] mac;
    try {
      mac = Base64.getDecoder().decode(text);
    } catch (IllegalArgumentException e) {
      throw malformed(name);
    }
    // The decoder ignores missing padding and unused bits.
    if (!Base64.getEncoder().encodeToString(mac).equals(text)) {
      throw malformed(name);
    }
    return checkLength(name, mac);
  }

  private static byte[] checkLength(String name, byte[] mac) {
    if (mac.length != MAC_BYTES) {
      throw malformed(name);
    }
    return mac;
  }

  static InvalidMacException malformed(String name) {
    return InvalidMacException.withoutCall("the header " + name + " is malformed");
  }

  /// Returns the prefix and the body.
  static byte[] join(String prefix, byte[] body) {
    byte[] start = prefix.getBytes(UTF_8);
    byte[] content = new byte[start.length + body.length];
    System.arraycopy(start, 0, content, 0, start.length);
    System.arraycopy(body, 0, content, start.length, body.length);
    return content;
  }
}

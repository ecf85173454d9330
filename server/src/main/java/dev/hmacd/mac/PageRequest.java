package dev.hmacd.mac;

import java.nio.charset.StandardCharsets;
import java.util.Base64;

/// Asks for the part of a list that comes after an item.
///
/// @param size how many items at most, 1 or more
/// @param after the name of the last item before; empty for the start
public record PageRequest(int size, String after) {
  private static final String MARK = "1:";

  /// Reads what a caller sent.
  ///
  /// @param given 0 for the default
  /// @param token as [Page#nextToken] gave it; empty for the first page
  /// @throws Refusal [Failure.InvalidField] or [Failure.InvalidPageToken]
  public static PageRequest of(int given, int defaultSize, int maxSize, String token) {
    Shape.require(given >= 0 && given <= maxSize, "page_size", "must be 0 to " + maxSize);
    return new PageRequest(given == 0 ? defaultSize : given, decode(token));
  }

  static String encode(String after) {
    return Base64.getUrlEncoder()
        .withoutPadding()
        .encodeToString((MARK + after).getBytes(StandardCharsets.UTF_8));
  }

  private static String decode(String token) {
    if (token.isEmpty()) {
      return "";
    }
    try {
      String text = new String(Base64.getUrlDecoder().decode(token), StandardCharsets.UTF_8);
      if (text.startsWith(MARK) && encode(text.substring(MARK.length())).equals(token)) {
        return text.substring(MARK.length());
      }
    } catch (IllegalArgumentException e) {
      throw new Refusal(new Failure.InvalidPageToken());
    }
    throw new Refusal(new Failure.InvalidPageToken());
  }
}

package dev.hmacd.mac;

import java.nio.charset.StandardCharsets;
import java.util.Base64;

/// Asks for the part of a list that comes after an item.
///
/// @param list which list: a token of another one is refused
/// @param size how many items at most, 1 or more
/// @param after the name of the last item before; empty for the start
public record PageRequest(String list, int size, String after) {
  private static final char END_OF_LIST = '\n';

  /// Reads what a caller sent.
  ///
  /// @param list e.g. `keys`; one line
  /// @param given 0 for the default
  /// @param token as [Page#nextToken] gave it; empty for the first page
  /// @throws Refusal [Failure.InvalidField] or [Failure.InvalidPageToken]
  public static PageRequest of(String list, int given, int defaultSize, int maxSize, String token) {
    Shape.require(given >= 0 && given <= maxSize, "page_size", "must be 0 to " + maxSize);
    return new PageRequest(list, given == 0 ? defaultSize : given, decode(list, token));
  }

  /// The token that asks for what comes after an item of this list.
  String tokenAfter(String item) {
    return encode(list, item);
  }

  private static String encode(String list, String after) {
    return Base64.getUrlEncoder()
        .withoutPadding()
        .encodeToString((list + END_OF_LIST + after).getBytes(StandardCharsets.UTF_8));
  }

  private static String decode(String list, String token) {
    if (token.isEmpty()) {
      return "";
    }
    try {
      String text = new String(Base64.getUrlDecoder().decode(token), StandardCharsets.UTF_8);
      String after = text.substring(text.indexOf(END_OF_LIST) + 1);
      if (!after.isEmpty() && encode(list, after).equals(token)) {
        return after;
      }
    } catch (IllegalArgumentException e) {
      throw new Refusal(new Failure.InvalidPageToken());
    }
    throw new Refusal(new Failure.InvalidPageToken());
  }
}

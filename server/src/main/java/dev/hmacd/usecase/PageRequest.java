package dev.hmacd.usecase;

import java.nio.charset.StandardCharsets;
import java.util.Base64;

/// A request for a page of a list.
///
/// @param list name of the list; a page token of another list is refused
/// @param size maximum number of items, 1 or more
/// @param after name of the last item of the previous page; empty for the first page
public record PageRequest(String list, int size, String after) {
  private static final char END_OF_LIST = '\n';

  /// Reads and validates the page fields of a request.
  ///
  /// @param list name of the list, such as `keys`; it has no line breaks
  /// @param given the requested page size; 0 for the default
  /// @param token a value of [Page#nextToken]; empty for the first page
  /// @throws Refusal [Failure.InvalidField] or [Failure.InvalidPageToken]
  public static PageRequest of(String list, int given, int defaultSize, int maxSize, String token) {
    FieldValidation.require(given >= 0 && given <= maxSize, "page_size", "must be 0 to " + maxSize);
    return new PageRequest(list, given == 0 ? defaultSize : given, decode(list, token));
  }

  /// The page token that requests the items after an item of this list.
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

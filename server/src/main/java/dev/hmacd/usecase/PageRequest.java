package dev.hmacd.usecase;

import java.nio.charset.StandardCharsets;
import java.util.Base64;

/// A request for a page of a list.
///
/// @param key the key to which the list belongs, as in the request; empty for a list of all keys
/// @param size maximum number of items, 1 to [PagedList#maxSize]
/// @param after name of the last item of the previous page; empty for the first page
public record PageRequest(PagedList list, String key, int size, String after) {
  /// Maximum length of a page token, as in AWS KMS. The tokens of hmacd are shorter.
  static final int MAX_TOKEN_CHARS = 1024;

  private static final char END_OF_LIST = '\n';

  public PageRequest {
    if (size < 1 || size > list.maxSize()) {
      throw new IllegalArgumentException(
          "a page of " + list + " must have 1 to " + list.maxSize() + " items, not " + size);
    }
  }

  /// Reads and validates the page fields of a request.
  ///
  /// @param key the key to which the list belongs; a page token of another key's list is refused
  /// @param given the requested page size; 0 for the default
  /// @param token a value of [Page#nextToken]; empty for the first page
  /// @throws Refusal [Failure.InvalidField] or [Failure.InvalidPageToken]
  public static PageRequest of(PagedList list, String key, int given, String token) {
    FieldValidation.range("page_size", given, 0, list.maxSize());
    return new PageRequest(
        list, key, given == 0 ? list.defaultSize() : given, decode(list, key, token));
  }

  /// The page token that requests the items after an item of this list.
  String tokenAfter(String item) {
    return encode(list, key, item);
  }

  private static String encode(PagedList list, String key, String after) {
    return Base64.getUrlEncoder()
        .withoutPadding()
        .encodeToString((list + " " + key + END_OF_LIST + after).getBytes(StandardCharsets.UTF_8));
  }

  private static String decode(PagedList list, String key, String token) {
    if (token.isEmpty()) {
      return "";
    }
    if (token.length() > MAX_TOKEN_CHARS) {
      throw new Refusal(new Failure.InvalidPageToken());
    }
    try {
      String text = new String(Base64.getUrlDecoder().decode(token), StandardCharsets.UTF_8);
      String after = text.substring(text.indexOf(END_OF_LIST) + 1);
      if (!after.isEmpty() && encode(list, key, after).equals(token)) {
        return after;
      }
    } catch (IllegalArgumentException e) {
      throw new Refusal(new Failure.InvalidPageToken());
    }
    throw new Refusal(new Failure.InvalidPageToken());
  }
}

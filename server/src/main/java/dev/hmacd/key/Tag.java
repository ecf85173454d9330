package dev.hmacd.key;

/// A tag of a key, for administrators and their tools. Tags have no effect on authorization.
///
/// @param key 1 to 128 Unicode code points
/// @param value 0 to 256 Unicode code points
public record Tag(String key, String value) {
  public static final int MAX_KEY_LENGTH = 128;
  public static final int MAX_VALUE_LENGTH = 256;

  /// Quota of tags for one key in AWS KMS.
  public static final int MAX_PER_KEY = 50;

  public Tag {
    if (key.isEmpty()
        || key.codePointCount(0, key.length()) > MAX_KEY_LENGTH
        || value.codePointCount(0, value.length()) > MAX_VALUE_LENGTH) {
      throw new IllegalArgumentException(
          "a tag must have a key of 1 to 128 characters, and a value of 0 to 256 characters");
    }
  }
}

package dev.hmacd.key;

/// A label that an administrator puts on a key, for people and their tools; it decides nothing.
///
/// @param key 1 to 128 of Unicode's characters
/// @param value 0 to 256 of them
public record Tag(String key, String value) {
  public static final int MAX_KEY_LENGTH = 128;
  public static final int MAX_VALUE_LENGTH = 256;

  /// AWS KMS's quota of tags for one key.
  public static final int MAX_PER_KEY = 50;

  public Tag {
    if (key.isEmpty()
        || key.codePointCount(0, key.length()) > MAX_KEY_LENGTH
        || value.codePointCount(0, value.length()) > MAX_VALUE_LENGTH) {
      throw new IllegalArgumentException("a tag's key has 1 to 128 characters, its value 0 to 256");
    }
  }
}

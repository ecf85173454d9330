package dev.hmacd.key;

import org.jspecify.annotations.Nullable;

/// A version of a key: the key material of one object on the tokens. Immutable.
///
/// @param number 1 or more
/// @param attributes as read at the generation or adoption of the object; null while the key is
///   `CREATING`
/// @param check the check value; null while the key is `CREATING`. Also null until the first use if
///   an older version of hmacd created the key, or its token had no mechanism for MACs
public record KeyVersion(
    int number,
    Placement placement,
    @Nullable KeyAttributes attributes,
    @Nullable KeyCheckValue check) {
  public KeyVersion {
    if (number < 1) {
      throw new IllegalArgumentException("version " + number + " must be 1 or more");
    }
  }

  /// The same version on other tokens.
  public KeyVersion with(Placement other) {
    return new KeyVersion(number, other, attributes, check);
  }

  /// The same version with this check value.
  public KeyVersion with(KeyCheckValue checkValue) {
    return new KeyVersion(number, placement, attributes, checkValue);
  }

  /// The same version with the attributes of its object.
  ///
  /// @param checkValue null if the token has no mechanism for it
  public KeyVersion generated(KeyAttributes read, @Nullable KeyCheckValue checkValue) {
    return new KeyVersion(number, placement, read, checkValue);
  }
}

package dev.hmacd.key;

import org.jspecify.annotations.Nullable;

/// A version of a key: the key material of one object on the tokens. Immutable.
///
/// @param number number of the version, 1 or more
/// @param attributes attributes of the object, read at its generation or adoption; null while the
///   key is `CREATING`
/// @param check the check value; null while the key is `CREATING`. Also null until the first use if
///   an older version of hmacd created the key, or if the token had no mechanism for MACs under the
///   key
public record KeyVersion(
    int number,
    Placement placement,
    @Nullable KeyAttributes attributes,
    @Nullable KeyCheckValue check) {
  public KeyVersion {
    if (number < 1) {
      throw new IllegalArgumentException("a key version must be 1 or more: " + number);
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
  /// @param checkValue the check value; null if the token has no mechanism to compute a check value
  public KeyVersion generated(KeyAttributes read, @Nullable KeyCheckValue checkValue) {
    return new KeyVersion(number, placement, read, checkValue);
  }
}

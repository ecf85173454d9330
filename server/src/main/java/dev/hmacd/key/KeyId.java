package dev.hmacd.key;

import java.util.Optional;
import java.util.UUID;
import java.util.regex.Pattern;

/// The id of a key: a UUID in its canonical lowercase form, as in AWS KMS.
public record KeyId(String value) implements Comparable<KeyId> {
  private static final Pattern FORM =
      Pattern.compile("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}");

  public KeyId {
    if (!FORM.matcher(value).matches()) {
      throw new IllegalArgumentException("a key id must be a lowercase UUID: " + value);
    }
  }

  /// A new id (UUID with 122 random bits, RFC 9562).
  public static KeyId random() {
    return new KeyId(UUID.randomUUID().toString());
  }

  public static Optional<KeyId> parse(String text) {
    return FORM.matcher(text).matches() ? Optional.of(new KeyId(text)) : Optional.empty();
  }

  @Override
  public int compareTo(KeyId other) {
    return value.compareTo(other.value);
  }

  @Override
  public String toString() {
    return value;
  }
}

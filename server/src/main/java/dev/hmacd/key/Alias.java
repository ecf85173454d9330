package dev.hmacd.key;

import java.util.regex.Pattern;

/// A name for a key. Unlike a key id, an alias can be pointed at another key.
public record Alias(String name) implements Comparable<Alias> {
  public static final String PREFIX = "alias/";

  /// Format of alias names in AWS KMS: at most 256 characters, including `alias/`.
  public static final Pattern FORM = Pattern.compile("alias/[a-zA-Z0-9/_-]{1,250}");

  public Alias {
    if (!FORM.matcher(name).matches()) {
      throw new IllegalArgumentException("an alias must match " + FORM);
    }
  }

  /// Whether AWS reserves the alias for its own keys.
  public boolean isReserved() {
    return name.startsWith("alias/aws/");
  }

  @Override
  public int compareTo(Alias other) {
    return name.compareTo(other.name);
  }

  @Override
  public String toString() {
    return name;
  }
}

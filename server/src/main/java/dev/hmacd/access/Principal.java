package dev.hmacd.access;

/// Who calls, in the one grammar of all edges: a kind and a name, such as
/// `spiffe://example.org/billing`, `dns:billing.example.org`, `cn:billing` or `uid:1000`. The kind
/// is always written, so that no name of one kind can pass for another's.
public record Principal(String name) {
  /// How long a name may be; longer ones have no place in a log line.
  public static final int MAX_LENGTH = 2048;

  public Principal {
    if (Kind.of(name) == null || name.length() > MAX_LENGTH) {
      throw new IllegalArgumentException("a principal starts with one of " + Kind.prefixes());
    }
  }

  public static Principal spiffe(String uri) {
    return new Principal(uri);
  }

  public static Principal dns(String name) {
    return new Principal(Kind.DNS.prefix + name);
  }

  public static Principal commonName(String name) {
    return new Principal(Kind.COMMON_NAME.prefix + name);
  }

  public static Principal uid(int uid) {
    return new Principal(Kind.UID.prefix + Integer.toUnsignedString(uid));
  }

  @Override
  public String toString() {
    return name;
  }
}

package dev.hmacd.access;

/// Who calls, in the one grammar of all edges: a kind and a name, such as
/// `spiffe://example.org/billing`, `dns:billing.example.org`, `cn:billing`, `uid:1000` or
/// `arn:aws:iam::000000000000:user/billing`. The kind is always written, so that no name of one
/// kind can pass for another's.
public record Principal(String name) {
  /// How long a name may be; longer ones have no place in a log line.
  public static final int MAX_LENGTH = 2048;

  public Principal {
    Kind.requireName(name);
    if (name.length() > MAX_LENGTH) {
      throw new IllegalArgumentException("a principal has at most " + MAX_LENGTH + " characters");
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

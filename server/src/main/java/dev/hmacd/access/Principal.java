package dev.hmacd.access;

/// The identity of a caller, with one grammar for all edges: a kind and a name, such as
/// `spiffe://example.org/billing`, `dns:billing.example.org`, `cn:billing`, `uid:1000` or
/// `arn:aws:iam::000000000000:user/billing`. The text of a principal always contains the kind, so
/// principals of different kinds are never equal.
public record Principal(String name) {
  /// Maximum length of a name in characters; bounds the length of log lines.
  public static final int MAX_LENGTH = 2048;

  public Principal {
    PrincipalKind.requireName(name);
    if (name.length() > MAX_LENGTH) {
      throw new IllegalArgumentException(
          "a principal must have at most " + MAX_LENGTH + " characters");
    }
  }

  public static Principal spiffe(String uri) {
    return new Principal(uri);
  }

  public static Principal dns(String name) {
    return new Principal(PrincipalKind.DNS.prefix + name);
  }

  public static Principal commonName(String name) {
    return new Principal(PrincipalKind.COMMON_NAME.prefix + name);
  }

  public static Principal uid(int uid) {
    return new Principal(PrincipalKind.UID.prefix + Integer.toUnsignedString(uid));
  }

  @Override
  public String toString() {
    return name;
  }
}

package dev.hmacd.access;

/// The identity of a caller, with one grammar for all edges: a kind and a name, such as
/// `spiffe://example.org/billing`, `dns:billing.example.org`, `cn:billing`, `uid:1000` or
/// `arn:aws:iam::000000000000:user/billing`. The text of a principal always contains the kind, so
/// principals of different kinds are never equal. [PrincipalKind] has the grammar of each kind.
public record Principal(String name) {
  /// Maximum length of a name in characters, which are ASCII (SPIFFE-ID, section 2.3). Bounds the
  /// length of log lines.
  public static final int MAX_LENGTH = 2048;

  public Principal {
    if (name.length() > MAX_LENGTH) {
      throw new IllegalArgumentException(
          "a principal must have at most " + MAX_LENGTH + " characters");
    }
    PrincipalKind.requireName(name);
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

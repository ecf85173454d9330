package dev.hmacd.access;

import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.regex.Pattern;

/// The kinds of [Principal]. Each kind has a prefix, a grammar of names, and a grammar of patterns
/// for rules.
public enum PrincipalKind {
  /// A SPIFFE ID with a path, from the URI SAN of the client's certificate (SPIFFE-ID, section 2;
  /// X509-SVID, section 2). A wildcard stands for one or more path segments at the end.
  SPIFFE(
      "spiffe://",
      "a SPIFFE ID is spiffe://<trust domain>/<path>, with a trust domain of a-z, 0-9, dot, dash"
          + " and underscore, and path segments of letters, digits, dot, dash and underscore; a"
          + " wildcard is the whole last segment: spiffe://example.org/billing/*") {
    @Override
    boolean isName(String rest) {
      int slash = rest.indexOf('/');
      return slash > 0 && isTrustDomain(rest.substring(0, slash)) && isPath(rest, slash + 1);
    }

    @Override
    Optional<PrincipalPattern> wildcard(String pattern) {
      String parent = pattern.substring(0, pattern.length() - 1);
      String rest = rest(parent);
      boolean valid =
          rest.endsWith("/")
              && (isTrustDomain(rest.substring(0, rest.length() - 1))
                  || isName(rest.substring(0, rest.length() - 1)));
      return valid ? Optional.of(new PrincipalPattern.Prefix(parent)) : Optional.empty();
    }
  },
  /// The first DNS SAN of the client's certificate. A wildcard stands for the first label.
  DNS(
      "dns:",
      "a DNS name is a host name: dns:billing.example.org; a wildcard is the whole first label"
          + " before two or more labels: dns:*.example.org") {
    @Override
    boolean isName(String rest) {
      return isHostName(rest);
    }

    @Override
    Optional<PrincipalPattern> wildcard(String pattern) {
      String domain = rest(pattern).startsWith("*.") ? rest(pattern).substring(2) : "";
      return isHostName(domain) && domain.contains(".")
          ? Optional.of(new PrincipalPattern.FirstLabel(prefix, "." + domain))
          : Optional.empty();
    }
  },
  /// The subject CN of the client's certificate, if no SAN names the principal.
  COMMON_NAME(
      "cn:",
      "a common name has the characters of a host name: cn:billing; it has no wildcard: list each"
          + " name") {
    @Override
    boolean isName(String rest) {
      return isHostName(rest);
    }
  },
  /// The user id of the process at the other end of the Unix socket (SO_PEERCRED).
  UID(
      "uid:",
      "a user id is a decimal number from 0 to 4294967294: uid:1000; it has no wildcard: list each"
          + " user id") {
    @Override
    boolean isName(String rest) {
      return DECIMAL.matcher(rest).matches() && Long.parseLong(rest) <= MAX_UID;
    }
  },
  /// The ARN of the IAM user of an AWS access key. A wildcard stands for the rest of the name.
  ARN(
      "arn:",
      "an ARN is arn:aws:iam::<12 digits>:user/<name>; a wildcard is the last character, after the"
          + " whole account: arn:aws:iam::000000000000:user/ci-*") {
    @Override
    boolean isName(String rest) {
      return USER.matcher(rest).matches();
    }

    @Override
    Optional<PrincipalPattern> wildcard(String pattern) {
      String start = pattern.substring(0, pattern.length() - 1);
      return pattern.endsWith(WILDCARD) && USER_PREFIX.matcher(rest(start)).matches()
          ? Optional.of(new PrincipalPattern.Prefix(start))
          : Optional.empty();
    }
  };

  private static final String WILDCARD = "*";

  /// (uid_t) -1 is no user (chown(2)).
  private static final long MAX_UID = 4_294_967_294L;

  private static final int MAX_TRUST_DOMAIN = 255;
  private static final int MAX_HOST_NAME = 253;
  private static final Pattern DECIMAL = Pattern.compile("0|[1-9][0-9]{0,9}");
  private static final Pattern TRUST_DOMAIN = Pattern.compile("[a-z0-9._-]+");
  private static final Pattern SEGMENT = Pattern.compile("[A-Za-z0-9._-]+");

  /// A label of a host name (RFC 1123, section 2.1), or a name with underscores.
  private static final Pattern LABEL =
      Pattern.compile("[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?");

  private static final Pattern USER =
      Pattern.compile("[a-z-]+:iam::[0-9]{12}:user/[\\w+=,.@/-]*[\\w+=,.@-]");
  private static final Pattern USER_PREFIX =
      Pattern.compile("[a-z-]+:iam::[0-9]{12}:user/[\\w+=,.@/-]*");

  final String prefix;
  private final String rule;

  /// @param rule the grammar, for error texts
  PrincipalKind(String prefix, String rule) {
    this.prefix = prefix;
    this.rule = rule;
  }

  /// Whether a text is a name of this kind.
  ///
  /// @param rest the text after the prefix
  abstract boolean isName(String rest);

  /// The pattern of a text with a wildcard; empty if the wildcard is not allowed there.
  Optional<PrincipalPattern> wildcard(String pattern) {
    return Optional.empty();
  }

  /// Throws [IllegalArgumentException] if a text is not the name of a principal.
  static void requireName(String text) {
    PrincipalKind kind = of(text);
    if (!kind.isName(kind.rest(text))) {
      throw kind.malformed(text);
    }
  }

  /// Parses a pattern of a rule.
  ///
  /// @throws IllegalArgumentException with the grammar, if the text is not a pattern
  static PrincipalPattern pattern(String text) {
    PrincipalKind kind = of(text);
    if (text.contains(WILDCARD)) {
      return kind.wildcard(text).orElseThrow(() -> kind.malformed(text));
    }
    return new PrincipalPattern.Exact(new Principal(text).name());
  }

  /// The grammar of names and patterns, with examples.
  String rule() {
    return rule;
  }

  private IllegalArgumentException malformed(String text) {
    return new IllegalArgumentException("\"" + text + "\" is not valid: " + rule);
  }

  String rest(String text) {
    return text.substring(prefix.length());
  }

  private static PrincipalKind of(String text) {
    for (PrincipalKind kind : values()) {
      if (text.startsWith(kind.prefix)) {
        return kind;
      }
    }
    throw new IllegalArgumentException(
        "\"" + text + "\" is not valid: a principal must start with one of " + prefixes());
  }

  private static List<String> prefixes() {
    return Arrays.stream(values()).map(kind -> kind.prefix).toList();
  }

  private static boolean isTrustDomain(String text) {
    return text.length() <= MAX_TRUST_DOMAIN && TRUST_DOMAIN.matcher(text).matches();
  }

  /// Whether the rest of a text from `start` on consists of one or more path segments.
  private static boolean isPath(String text, int start) {
    for (String segment : text.substring(start).split("/", -1)) {
      if (!SEGMENT.matcher(segment).matches() || segment.equals(".") || segment.equals("..")) {
        return false;
      }
    }
    return true;
  }

  private static boolean isHostName(String text) {
    if (text.length() > MAX_HOST_NAME) {
      return false;
    }
    for (String label : text.split("\\.", -1)) {
      if (!LABEL.matcher(label).matches()) {
        return false;
      }
    }
    return true;
  }
}

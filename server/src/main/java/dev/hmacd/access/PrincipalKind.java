package dev.hmacd.access;

import java.util.Arrays;
import java.util.List;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/// The kinds of [Principal], each with a prefix and a grammar.
enum PrincipalKind {
  /// A SPIFFE ID from the URI SAN of the client's certificate.
  SPIFFE(
      "spiffe://",
      ".+",
      ".*/.*",
      "a SPIFFE wildcard must contain the whole trust domain: spiffe://example.org/*"),
  /// The first DNS SAN of the client's certificate.
  DNS("dns:", ".+", ".*", ""),
  /// The subject CN of the client's certificate, if no SAN names the principal.
  COMMON_NAME("cn:", ".+", ".*", ""),
  /// The user id of the process at the other end of the Unix socket (SO_PEERCRED).
  UID("uid:", ".+", ".*", ""),
  /// The ARN of the IAM user of an AWS access key.
  ARN(
      "arn:",
      "[a-z-]+:iam::[0-9]{12}:user/[\\w+=,.@/-]*[\\w+=,.@-]",
      "[a-z-]+:iam::[0-9]{12}:user/[\\w+=,.@/-]*",
      "an ARN must be arn:aws:iam::<12 digits>:user/<name>; a wildcard must contain the whole"
          + " account");

  final String prefix;
  private final Pattern name;
  private final Pattern beforeWildcard;
  private final String rule;

  /// @param name pattern of the name after the prefix
  /// @param beforeWildcard pattern of the name between the prefix and a wildcard
  /// @param rule error text for a name that does not match; empty for the general text
  PrincipalKind(String prefix, String name, String beforeWildcard, String rule) {
    this.prefix = prefix;
    this.name = Pattern.compile(name, Pattern.DOTALL);
    this.beforeWildcard = Pattern.compile(beforeWildcard, Pattern.DOTALL);
    this.rule = rule;
  }

  /// Throws [IllegalArgumentException] if a text is not the name of a principal.
  static void requireName(String text) {
    PrincipalKind kind = of(text);
    require(kind, kind != null && kind.name.matcher(kind.rest(text)).matches());
  }

  /// Throws [IllegalArgumentException] if the text before a wildcard lacks a known prefix, the
  /// trust domain of a SPIFFE ID, or the account of an ARN.
  static void requirePrefix(String text) {
    PrincipalKind kind = of(text);
    require(kind, kind != null && kind.beforeWildcard.matcher(kind.rest(text)).matches());
  }

  private static void require(@Nullable PrincipalKind kind, boolean fits) {
    if (!fits) {
      throw new IllegalArgumentException(
          kind == null || kind.rule.isEmpty()
              ? "a principal must start with one of " + prefixes() + "; a trailing * is a wildcard"
              : kind.rule);
    }
  }

  private String rest(String text) {
    return text.substring(prefix.length());
  }

  private static @Nullable PrincipalKind of(String text) {
    for (PrincipalKind kind : values()) {
      if (text.startsWith(kind.prefix)) {
        return kind;
      }
    }
    return null;
  }

  private static List<String> prefixes() {
    return Arrays.stream(values()).map(kind -> kind.prefix).toList();
  }
}

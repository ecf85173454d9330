package dev.hmacd.access;

/// A pattern of a rule for principals. Each pattern matches names of one [PrincipalKind].
public sealed interface PrincipalPattern {
  /// One name.
  record Exact(String name) implements PrincipalPattern {}

  /// All names that start with a text, which is a part of each name up to a `/`, or the start of a
  /// user's name.
  record Prefix(String start) implements PrincipalPattern {}

  /// All names whose first label is any label.
  ///
  /// @param kind the prefix of the kind
  /// @param parent the name after the first label, with its leading dot
  record FirstLabel(String kind, String parent) implements PrincipalPattern {}

  /// Parses the name of a principal, or a pattern with a wildcard:
  /// `spiffe://example.org/billing/*`, `dns:*.example.org`, `arn:aws:iam::000000000000:user/ci-*`.
  ///
  /// @throws IllegalArgumentException if the text is not a name, or if the wildcard is not allowed
  ///   there; the message has the grammar
  static PrincipalPattern parse(String pattern) {
    return PrincipalKind.pattern(pattern);
  }

  default boolean fits(Principal principal) {
    String name = principal.name();
    return switch (this) {
      case Exact(var exact) -> name.equals(exact);
      case Prefix(var start) -> name.startsWith(start);
      case FirstLabel(var kind, var parent) ->
          name.startsWith(kind)
              && name.endsWith(parent)
              && name.indexOf('.') == name.length() - parent.length();
    };
  }
}

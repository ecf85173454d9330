package dev.hmacd.key;

import java.util.Optional;

/// The name of a key in a request: a key id, key ARN, alias name or alias ARN.
public sealed interface KeyReference {
  record Id(KeyId id) implements KeyReference {}

  record OfAlias(Alias alias) implements KeyReference {}

  /// Parses a name. Returns empty for a malformed name, and for an ARN of another partition, region
  /// or account.
  static Optional<KeyReference> parse(String given, ArnScope scope) {
    String name = given;
    if (given.startsWith("arn:")) {
      if (!given.startsWith(scope.prefix())) {
        return Optional.empty();
      }
      name = given.substring(scope.prefix().length());
      if (name.startsWith("key/")) {
        return KeyId.parse(name.substring("key/".length())).map(Id::new);
      }
      if (!name.startsWith(Alias.PREFIX)) {
        return Optional.empty();
      }
    }
    if (name.startsWith(Alias.PREFIX)) {
      return Alias.FORM.matcher(name).matches()
          ? Optional.of(new OfAlias(new Alias(name)))
          : Optional.empty();
    }
    return KeyId.parse(name).map(Id::new);
  }
}

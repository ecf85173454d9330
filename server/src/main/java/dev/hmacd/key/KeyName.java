package dev.hmacd.key;

import java.util.Optional;

/// A name of a key in a request: a key id, a key ARN, an alias name or an alias ARN.
public sealed interface KeyName {
  record Id(KeyId id) implements KeyName {}

  record OfAlias(Alias alias) implements KeyName {}

  /// Reads a name; empty if it has none of the four forms, or is an ARN of another scope.
  static Optional<KeyName> parse(String given, ArnScope scope) {
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

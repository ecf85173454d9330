package dev.hmacd.awskms;

import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import org.jspecify.annotations.Nullable;

/// What a request's body gives for the members of its operation, after all were found to satisfy
/// the model. Asking for a member that the model does not have, or has otherwise, is a programming
/// error.
final class Input {
  private final Map<String, Object> values;

  Input(Map<String, Object> values) {
    this.values = values;
  }

  boolean has(String name) {
    return values.containsKey(name);
  }

  /// What was read; null where it is not given.
  @Nullable Object value(String name) {
    return values.get(name);
  }

  /// The text of a member that is required.
  String text(String name) {
    return optionalText(name).orElseThrow();
  }

  Optional<String> optionalText(String name) {
    return Optional.ofNullable((String) values.get(name));
  }

  /// The bytes of a member that is required; the caller may keep them.
  byte[] blob(String name) {
    return (byte[]) Optional.ofNullable(values.get(name)).orElseThrow();
  }

  /// False where it is not given.
  boolean bool(String name) {
    return Boolean.TRUE.equals(values.get(name));
  }

  OptionalInt number(String name) {
    return values.get(name) instanceof Integer value ? OptionalInt.of(value) : OptionalInt.empty();
  }

  /// The items of a list; none where it is not given.
  List<?> list(String name) {
    return values.get(name) instanceof List<?> list ? list : List.of();
  }
}

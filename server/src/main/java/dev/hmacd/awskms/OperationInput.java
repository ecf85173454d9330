package dev.hmacd.awskms;

import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import org.jspecify.annotations.Nullable;

/// The input of an operation: the values of its members, which satisfy the constraints of the
/// model. Access to a member outside of the model, or with another type, is a programming error.
final class OperationInput {
  private final Map<String, Object> values;

  OperationInput(Map<String, Object> values) {
    this.values = values;
  }

  boolean has(String name) {
    return values.containsKey(name);
  }

  /// The value of a member; null if the request does not set it.
  @Nullable Object value(String name) {
    return values.get(name);
  }

  /// The text of a required member.
  String text(String name) {
    return optionalText(name).orElseThrow();
  }

  Optional<String> optionalText(String name) {
    return Optional.ofNullable((String) values.get(name));
  }

  /// The bytes of a required member, which the caller may keep.
  byte[] blob(String name) {
    return (byte[]) Optional.ofNullable(values.get(name)).orElseThrow();
  }

  /// The value of a boolean member; false if the request does not set the member.
  boolean bool(String name) {
    return Boolean.TRUE.equals(values.get(name));
  }

  OptionalInt number(String name) {
    return values.get(name) instanceof Integer value ? OptionalInt.of(value) : OptionalInt.empty();
  }

  /// The items of a list member; empty if the request does not set the member.
  List<?> list(String name) {
    return values.get(name) instanceof List<?> list ? list : List.of();
  }
}

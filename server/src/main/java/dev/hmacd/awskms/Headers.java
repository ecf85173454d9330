package dev.hmacd.awskms;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.BiConsumer;

/// The header fields of a request, in their order. Names are in lowercase; a character of a value
/// is a byte of it, as it came (ISO 8859-1).
final class Headers {
  private final List<String> names = new ArrayList<>(16);
  private final List<String> values = new ArrayList<>(16);

  /// Adds a field.
  ///
  /// @param name in lowercase
  Headers add(String name, String value) {
    names.add(name);
    values.add(value);
    return this;
  }

  int size() {
    return names.size();
  }

  boolean has(String name) {
    return names.contains(name);
  }

  /// The values of all fields of a name.
  List<String> all(String name) {
    List<String> found = new ArrayList<>(1);
    for (int i = 0; i < names.size(); i++) {
      if (names.get(i).equals(name)) {
        found.add(values.get(i));
      }
    }
    return found;
  }

  /// The value of the one field of a name; empty when there is none, or more than one.
  Optional<String> only(String name) {
    int index = names.indexOf(name);
    return index >= 0 && index == names.lastIndexOf(name)
        ? Optional.of(values.get(index))
        : Optional.empty();
  }

  void forEach(BiConsumer<String, String> action) {
    for (int i = 0; i < names.size(); i++) {
      action.accept(names.get(i), values.get(i));
    }
  }
}

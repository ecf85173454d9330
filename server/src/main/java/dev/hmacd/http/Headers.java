package dev.hmacd.http;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.BiConsumer;

/// The header fields of a request, in their order. Names are in lowercase. Each character of a
/// value is a received byte (ISO 8859-1).
public final class Headers {
  /// Heap of a header field without its characters, in bytes: two strings with their arrays, and
  /// two list entries.
  private static final int FIELD_BYTES = 120;

  private final List<String> names = new ArrayList<>(16);
  private final List<String> values = new ArrayList<>(16);
  private int heapBytes;

  /// Adds a field.
  ///
  /// @param name in lowercase
  public Headers add(String name, String value) {
    names.add(name);
    values.add(value);
    heapBytes += FIELD_BYTES + name.length() + value.length();
    return this;
  }

  /// Heap of all header fields, in bytes.
  int heapBytes() {
    return heapBytes;
  }

  public boolean has(String name) {
    return names.contains(name);
  }

  /// The values of all header fields with this name.
  public List<String> all(String name) {
    List<String> found = new ArrayList<>(1);
    for (int i = 0; i < names.size(); i++) {
      if (names.get(i).equals(name)) {
        found.add(values.get(i));
      }
    }
    return found;
  }

  /// The value of the header field with this name; empty if the request has no field, or several
  /// fields, with this name.
  public Optional<String> only(String name) {
    int index = names.indexOf(name);
    return index >= 0 && index == names.lastIndexOf(name)
        ? Optional.of(values.get(index))
        : Optional.empty();
  }

  public void forEach(BiConsumer<String, String> action) {
    for (int i = 0; i < names.size(); i++) {
      action.accept(names.get(i), values.get(i));
    }
  }
}

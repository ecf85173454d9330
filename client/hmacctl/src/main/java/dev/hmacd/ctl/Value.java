package dev.hmacd.ctl;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// The answer of a command, independent of the output format.
sealed interface Value {
  /// A string, a number or a boolean.
  record Scalar(Object value) implements Value {
    public Scalar {
      if (!(value instanceof String || value instanceof Number || value instanceof Boolean)) {
        throw new IllegalArgumentException(
            "a scalar of an answer must be a string, number or boolean: " + value.getClass());
      }
    }
  }

  /// An ordered list of values.
  record Items(List<Value> items) implements Value {
    public Items {
      items = List.copyOf(items);
    }
  }

  /// Named values, in the order of the output. A member that AWS also has, has AWS's name.
  record Members(Map<String, Value> members) implements Value {
    public Members {
      members = Collections.unmodifiableMap(new LinkedHashMap<>(members));
    }

    static Members none() {
      return new Members(Map.of());
    }

    Members with(String name, Value value) {
      var more = new LinkedHashMap<>(members);
      more.put(name, value);
      return new Members(more);
    }

    Members with(String name, Object scalar) {
      return with(name, new Scalar(scalar));
    }
  }
}

package dev.hmacd.ctl;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.SortedSet;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;

/// Writes the AWS CLI's text format: one line for each object. The line begins with the upper-case
/// name of the member that holds the object. The scalars of the object follow in the order of their
/// names, separated by tabs.
final class Text {
  private Text() {}

  static String render(Value value) {
    var text = new StringBuilder();
    write("", value, text);
    return text.toString();
  }

  private static void write(String name, Value value, StringBuilder text) {
    if (value instanceof Value.Scalar scalar) {
      line(text, name, List.of(scalar(scalar)));
    } else if (value instanceof Value.Members object) {
      writeObject(name, object, scalarNames(List.of(object)), text);
    } else if (value instanceof Value.Items list) {
      writeList(name, list.items(), text);
    }
  }

  private static void writeList(String name, List<Value> items, StringBuilder text) {
    List<Value.Members> objects = only(Value.Members.class, items);
    // Objects of one list have the same columns, so that scripts can rely on them.
    SortedSet<String> columns = scalarNames(objects);
    objects.forEach(object -> writeObject(name, object, columns, text));
    List<String> scalars = only(Value.Scalar.class, items).stream().map(Text::scalar).toList();
    if (name.isEmpty() && !scalars.isEmpty()) {
      line(text, name, scalars);
    } else {
      scalars.forEach(scalar -> line(text, name, List.of(scalar)));
    }
  }

  private static void writeObject(
      String name, Value.Members object, SortedSet<String> columns, StringBuilder text) {
    if (!columns.isEmpty()) {
      line(
          text,
          name,
          columns.stream()
              .map(
                  column ->
                      object.members().get(column) instanceof Value.Scalar scalar
                          ? scalar(scalar)
                          : "")
              .toList());
    }
    new TreeMap<>(object.members())
        .forEach(
            (member, value) -> {
              if (!(value instanceof Value.Scalar)) {
                write(member, value, text);
              }
            });
  }

  private static SortedSet<String> scalarNames(List<Value.Members> objects) {
    return objects.stream()
        .flatMap(object -> object.members().entrySet().stream())
        .filter(member -> member.getValue() instanceof Value.Scalar)
        .map(member -> member.getKey())
        .collect(Collectors.toCollection(TreeSet::new));
  }

  private static <T extends Value> List<T> only(Class<T> type, List<Value> items) {
    return items.stream().filter(type::isInstance).map(type::cast).toList();
  }

  private static void line(StringBuilder text, String name, List<String> values) {
    var cells = new ArrayList<String>();
    if (!name.isEmpty()) {
      cells.add(name.toUpperCase(Locale.ROOT));
    }
    cells.addAll(values);
    text.append(String.join("\t", cells)).append('\n');
  }

  /// The text of a scalar. Booleans are `True` and `False`, as in the AWS CLI.
  private static String scalar(Value.Scalar scalar) {
    if (scalar.value() instanceof Boolean truth) {
      return truth ? "True" : "False";
    }
    return Printable.of(scalar.value().toString());
  }
}

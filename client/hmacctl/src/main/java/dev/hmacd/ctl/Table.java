package dev.hmacd.ctl;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/// Writes the table format, for people: one line for each member; a list of objects has a column
/// for each of their members.
final class Table {
  private static final String GAP = "  ";

  private Table() {}

  static String render(Value value) {
    var table = new StringBuilder();
    if (value instanceof Value.Members object) {
      var scalars = new LinkedHashMap<String, String>();
      flatten("", object, scalars, table);
      writeRows(
          scalars.entrySet().stream()
              .map(entry -> List.of(entry.getKey(), entry.getValue()))
              .toList(),
          table);
    } else if (value instanceof Value.Items list && objects(list)) {
      writeColumns(list, table);
    } else {
      table.append(cell(value)).append('\n');
    }
    return table.toString();
  }

  /// Writes the lists of objects, and collects other values under names like `TokenObject.Label`.
  private static void flatten(
      String path, Value.Members object, Map<String, String> scalars, StringBuilder table) {
    object
        .members()
        .forEach(
            (name, value) -> {
              if (value instanceof Value.Members inner) {
                flatten(path + name + ".", inner, scalars, table);
              } else if (value instanceof Value.Items list && objects(list)) {
                writeColumns(list, table);
              } else {
                scalars.put(path + name, cell(value));
              }
            });
  }

  private static void writeColumns(Value.Items list, StringBuilder table) {
    var rows = new ArrayList<List<String>>();
    for (Value item : list.items()) {
      if (item instanceof Value.Members object) {
        if (rows.isEmpty()) {
          rows.add(List.copyOf(object.members().keySet()));
        }
        rows.add(object.members().values().stream().map(Table::cell).toList());
      }
    }
    writeRows(rows, table);
  }

  private static void writeRows(List<List<String>> rows, StringBuilder table) {
    if (rows.isEmpty()) {
      return;
    }
    int columns = rows.get(0).size();
    int[] widths = new int[columns];
    for (List<String> row : rows) {
      for (int i = 0; i < columns; i++) {
        widths[i] = Math.max(widths[i], row.get(i).length());
      }
    }
    for (List<String> row : rows) {
      for (int i = 0; i < columns - 1; i++) {
        table.append(row.get(i)).append(" ".repeat(widths[i] - row.get(i).length())).append(GAP);
      }
      table.append(row.get(columns - 1)).append('\n');
    }
  }

  private static boolean objects(Value.Items list) {
    return list.items().stream().allMatch(Value.Members.class::isInstance);
  }

  private static String cell(Value value) {
    if (value instanceof Value.Scalar scalar) {
      return Printable.of(scalar.value().toString());
    }
    if (value instanceof Value.Items list) {
      return list.items().stream().map(Table::cell).collect(Collectors.joining(", "));
    }
    return "";
  }
}

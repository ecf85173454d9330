package dev.hmacd.ctl;

import java.util.List;
import java.util.Optional;
import java.util.regex.Pattern;

/// The part of the AWS CLI's `--query` that scripts use most: member names with dots between them,
/// and `[]` for each item of a list, as in `Keys[].KeyId`.
record Query(List<String> steps) {
  private static final Pattern FORM = Pattern.compile("[A-Za-z]+(\\[])?(\\.[A-Za-z]+(\\[])?)*");
  private static final String ITEMS = "[]";

  static Query parse(String query) {
    if (!FORM.matcher(query).matches()) {
      throw new UsageException(
          "--query '" + query + "' must be member names with '.' between them, '[]' after lists");
    }
    return new Query(List.of(query.replace(ITEMS, "." + ITEMS).split("\\.", -1)));
  }

  /// The query as it was given.
  String text() {
    return String.join(".", steps).replace("." + ITEMS, ITEMS);
  }

  /// Selects a part of a value; empty if the value does not have the part.
  Optional<Value> of(Value value) {
    return select(value, steps);
  }

  /// Checks that an answer can have the part.
  ///
  /// @param example an answer with every member that such an answer can have
  /// @param command name of the command, for error messages
  /// @throws UsageException with the names of the members, if no answer has the part
  void check(Value example, String command) {
    Value value = example;
    String path = "";
    for (String step : steps) {
      value = step.equals(ITEMS) ? item(value, path) : member(value, step, path, command);
      path = step.equals(ITEMS) ? path + ITEMS : qualified(path, step);
    }
  }

  private static Value item(Value value, String path) {
    if (value instanceof Value.Items list) {
      return list.items().get(0);
    }
    throw new UsageException(
        "--query: " + path + " is not a list", "Omit '[]' after " + path + ".");
  }

  private static Value member(Value value, String name, String path, String command) {
    if (value instanceof Value.Items) {
      throw new UsageException(
          "--query: " + path + " is a list", "Use " + path + "[] for each of its items.");
    }
    List<String> known =
        value instanceof Value.Members object ? List.copyOf(object.members().keySet()) : List.of();
    Value found = value instanceof Value.Members object ? object.members().get(name) : null;
    if (found != null) {
      return found;
    }
    throw new UsageException(
        "--query: the answer of " + command + " has no field " + qualified(path, name),
        known.isEmpty()
            ? (path.isEmpty() ? "The answer" : path) + " has no fields."
            : fields(name, known));
  }

  private static String fields(String name, List<String> known) {
    String hint = Suggestion.hint(name, known);
    String fields = "The fields are " + String.join(", ", known) + ".";
    return hint.isEmpty() ? fields : hint + " " + fields;
  }

  private static String qualified(String path, String name) {
    return path.isEmpty() ? name : path + "." + name;
  }

  private static Optional<Value> select(Value value, List<String> steps) {
    if (steps.isEmpty()) {
      return Optional.of(value);
    }
    String step = steps.get(0);
    List<String> rest = steps.subList(1, steps.size());
    if (value instanceof Value.Items list && step.equals(ITEMS)) {
      return Optional.of(
          new Value.Items(
              list.items().stream().flatMap(item -> select(item, rest).stream()).toList()));
    }
    if (value instanceof Value.Members object) {
      return Optional.ofNullable(object.members().get(step)).flatMap(it -> select(it, rest));
    }
    return Optional.empty();
  }
}

package dev.hmacd.ctl;

import java.util.List;
import java.util.Optional;
import java.util.regex.Pattern;

/// The part of the AWS CLI's `--query` that scripts use most: member names with dots between them,
/// and `[]` for each item of a list, as in `Keys[].KeyId`.
record Query(List<String> steps) {
  private static final Pattern FORM = Pattern.compile("[A-Za-z]+(\\[])?(\\.[A-Za-z]+(\\[])?)*");

  static Query parse(String query) {
    if (!FORM.matcher(query).matches()) {
      throw new UsageException(
          "--query '" + query + "' must be member names with '.' between them, '[]' after lists");
    }
    return new Query(List.of(query.replace("[]", ".[]").split("\\.", -1)));
  }

  /// Selects a part of a value; empty if there is no member of that name.
  Optional<Value> of(Value value) {
    return select(value, steps);
  }

  private static Optional<Value> select(Value value, List<String> steps) {
    if (steps.isEmpty()) {
      return Optional.of(value);
    }
    String step = steps.get(0);
    List<String> rest = steps.subList(1, steps.size());
    if (value instanceof Value.Items list && step.equals("[]")) {
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

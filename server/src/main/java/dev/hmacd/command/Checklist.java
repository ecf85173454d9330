package dev.hmacd.command;

import java.util.ArrayList;
import java.util.List;

/// The results of `hmacd check`, one line for each step.
final class Checklist {
  private enum Result {
    OK,
    WARN,
    FAIL
  }

  private record Line(Result result, String what, String detail) {}

  private final List<Line> lines = new ArrayList<>();

  void ok(String what, String detail) {
    lines.add(new Line(Result.OK, what, detail));
  }

  void warn(String what, String detail) {
    lines.add(new Line(Result.WARN, what, detail));
  }

  void fail(String what, String detail) {
    lines.add(new Line(Result.FAIL, what, detail));
  }

  boolean hasFailed() {
    return lines.stream().anyMatch(line -> line.result() == Result.FAIL);
  }

  /// The results as a table of three columns.
  String table() {
    int width = lines.stream().mapToInt(line -> line.what().length()).max().orElse(0);
    var table = new StringBuilder();
    for (Line line : lines) {
      table.append(
          String.format("%-4s  %-" + width + "s  %s%n", line.result(), line.what(), line.detail()));
    }
    return table.toString();
  }
}

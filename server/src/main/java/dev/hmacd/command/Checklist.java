package dev.hmacd.command;

import dev.hmacd.ExitCode;
import dev.hmacd.StartException;
import dev.hmacd.StartFailures;
import dev.hmacd.StartReport;
import java.util.ArrayList;
import java.util.List;

/// The results of `hmacd check`, one line for each step.
final class Checklist implements StartReport {
  private enum Result {
    OK,
    WARN,
    FAIL
  }

  private record Line(Result result, String what, String detail) {}

  private final List<Line> lines = new ArrayList<>();
  private final StartFailures failures = new StartFailures();

  @Override
  public void passed(String step, String detail) {
    lines.add(new Line(Result.OK, step, detail));
  }

  @Override
  public void warned(String step, String detail) {
    lines.add(new Line(Result.WARN, step, detail));
  }

  @Override
  public void tolerated(String step, String detail) {
    addFault(step, detail);
  }

  @Override
  public void failed(String step, StartException failure) {
    failures.failed(step, failure);
    failure.problems().forEach(problem -> addFault(step, problem));
  }

  /// Adds a line, unless another step has found the same fault.
  private void addFault(String step, String detail) {
    boolean isKnown =
        lines.stream()
            .anyMatch(line -> line.result() == Result.FAIL && line.detail().equals(detail));
    if (!isKnown) {
      lines.add(new Line(Result.FAIL, step, detail));
    }
  }

  /// Whether a line is FAIL.
  boolean hasFailed() {
    return lines.stream().anyMatch(line -> line.result() == Result.FAIL);
  }

  /// Whether a failure prevents the start.
  boolean preventsStart() {
    return failures.exitCode() != ExitCode.OK;
  }

  /// The exit code of `hmacd check`: the exit code of a failed start, or [ExitCode#FAULT_FOUND] for
  /// a fault that does not prevent the start.
  ExitCode exitCode() {
    if (preventsStart()) {
      return failures.exitCode();
    }
    return hasFailed() ? ExitCode.FAULT_FOUND : ExitCode.OK;
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

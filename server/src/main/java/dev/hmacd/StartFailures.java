package dev.hmacd;

import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// Collects the failures of all steps of a start, so that all are reported together. A message that
/// several steps report counts once.
public final class StartFailures implements StartReport {
  private final Set<String> problems = new LinkedHashSet<>();
  private ExitCode exitCode = ExitCode.OK;
  private @Nullable StartException first;

  @Override
  public void failed(String step, StartException failure) {
    problems.addAll(failure.problems());
    if (first == null) {
      first = failure;
    }
    // A later start cannot succeed while one failure needs an operator.
    if (exitCode != ExitCode.CONFIG) {
      exitCode = failure.exitCode();
    }
  }

  /// The exit code for all failures together; [ExitCode#OK] without a failure.
  public ExitCode exitCode() {
    return exitCode;
  }

  /// All failures, as one failure. There must be one.
  public StartException toException() {
    return new StartException(List.copyOf(problems), exitCode, first);
  }

  /// Reports all failures.
  ///
  /// @throws StartException with all failures, if there is any
  public void throwIfAny() throws StartException {
    if (exitCode != ExitCode.OK) {
      throw toException();
    }
  }
}

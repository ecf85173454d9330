package dev.hmacd.file;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/// Collects the failures of several files, so that all failures are reported together.
public final class FileFaults {
  private final List<FileException> failures = new ArrayList<>();

  /// Reads a file.
  public interface Reader<T> {
    T read() throws FileException;
  }

  /// Checks a file.
  public interface Check {
    void run() throws FileException;
  }

  /// Reads a file.
  ///
  /// @return empty if the file cannot be used
  public <T> Optional<T> read(Reader<T> reader) {
    try {
      return Optional.of(reader.read());
    } catch (FileException e) {
      failures.add(e);
      return Optional.empty();
    }
  }

  /// Checks a file.
  public void check(Check check) {
    try {
      check.run();
    } catch (FileException e) {
      failures.add(e);
    }
  }

  /// Reports all failures.
  ///
  /// @throws FileException with all failures, if there is any
  public void throwIfAny() throws FileException {
    if (!failures.isEmpty()) {
      throw FileException.all(failures);
    }
  }
}

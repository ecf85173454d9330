package dev.hmacd.client.spring;

import org.jspecify.annotations.Nullable;

/// A property of `hmacd.*` is missing or not usable. The message names the property, and its value.
/// No value is secret: those of files are paths.
final class HmacdPropertyException extends RuntimeException {
  private static final long serialVersionUID = 1;

  private final String remedy;

  HmacdPropertyException(String problem, String remedy) {
    this(problem, remedy, null);
  }

  HmacdPropertyException(String problem, String remedy, @Nullable Throwable cause) {
    super(problem, cause);
    this.remedy = remedy;
  }

  /// What to do; one sentence.
  String remedy() {
    return remedy;
  }
}

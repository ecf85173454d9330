package dev.hmacd.config;

import java.util.List;

/// Failure with all problems of a configuration file. The message has each problem with its path in
/// the file and the valid values.
public final class ConfigException extends Exception {
  private static final long serialVersionUID = 1;

  private final transient List<String> problems;

  ConfigException(List<String> problems) {
    super(String.join("\n", problems));
    this.problems = List.copyOf(problems);
  }

  public List<String> problems() {
    return problems;
  }
}

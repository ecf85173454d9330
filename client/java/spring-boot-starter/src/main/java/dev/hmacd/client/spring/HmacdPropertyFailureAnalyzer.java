package dev.hmacd.client.spring;

import org.springframework.boot.diagnostics.AbstractFailureAnalyzer;
import org.springframework.boot.diagnostics.FailureAnalysis;

/// Prints a missing or unusable property instead of a stack trace, when an application does not
/// start.
final class HmacdPropertyFailureAnalyzer extends AbstractFailureAnalyzer<HmacdPropertyException> {
  @Override
  protected FailureAnalysis analyze(Throwable rootFailure, HmacdPropertyException cause) {
    return new FailureAnalysis(cause.getMessage(), cause.remedy(), cause);
  }
}

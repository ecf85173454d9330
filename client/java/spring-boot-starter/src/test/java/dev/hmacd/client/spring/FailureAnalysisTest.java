package dev.hmacd.client.spring;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.boot.test.system.CapturedOutput;
import org.springframework.boot.test.system.OutputCaptureExtension;

/// The start of an application without a usable property.
@ExtendWith(OutputCaptureExtension.class)
class FailureAnalysisTest {
  @EnableAutoConfiguration
  static class Application {}

  @Test
  void failedStartPrintsThePropertyAndTheRemedy(CapturedOutput output) {
    assertThatThrownBy(() -> SpringApplication.run(Application.class))
        .hasRootCauseInstanceOf(HmacdPropertyException.class);
    assertThat(output)
        .contains("APPLICATION FAILED TO START")
        .contains("The property hmacd.targets is not set.")
        .contains("Set hmacd.targets to the daemons");
  }
}

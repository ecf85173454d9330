package sample;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.test.system.CapturedOutput;
import org.springframework.boot.test.system.OutputCaptureExtension;

/// The start of the application without its properties.
@ExtendWith(OutputCaptureExtension.class)
class StartTest {
  @Test
  void failedStartPrintsTheProperty(CapturedOutput output) {
    assertThatThrownBy(
            () -> SpringApplication.run(Application.class, "--hmacd.targets=", "--server.port=0"))
        .isInstanceOf(Exception.class);
    assertThat(output)
        .contains("APPLICATION FAILED TO START")
        .contains("The property hmacd.targets is not set.");
  }
}

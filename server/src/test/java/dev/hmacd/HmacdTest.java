package dev.hmacd;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import dev.hmacd.command.CommandLine;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CompletionException;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.FieldSource;

/// The message and the exit code of each kind of failure.
final class HmacdTest {
  private static final Path OPERATIONS = Path.of("../docs/operations.md");

  static final List<Throwable> UNEXPECTED =
      List.of(
          new IllegalStateException("failure"),
          new CompletionException(new IOException("failure")),
          new NoClassDefFoundError("failure"),
          new OutOfMemoryError("failure"),
          new InterruptedException("failure"));

  private final ByteArrayOutputStream printed = new ByteArrayOutputStream();

  private ExitCode report(Throwable failure) {
    return Hmacd.report(failure, new PrintStream(printed, true, UTF_8));
  }

  @ParameterizedTest
  @FieldSource("UNEXPECTED")
  void unexpectedFailureShowsItsStackTrace(Throwable failure) {
    assertThat(report(failure)).isEqualTo(ExitCode.SOFTWARE);
    assertThat(printed.toString(UTF_8))
        .startsWith("hmacd: unexpected error; report it with these lines:\n")
        .contains(failure.toString(), "\tat dev.hmacd.HmacdTest");
  }

  @ParameterizedTest
  @EnumSource
  void knownFailureHasOneMessageAndItsExitCode(ExitCode exitCode) {
    assertThat(report(new StartException("the message", exitCode, new IOException("cause"))))
        .isEqualTo(exitCode);
    assertThat(printed.toString(UTF_8)).isEqualTo("hmacd: the message\n");
  }

  @Test
  void eachProblemHasALine() {
    var failure = new StartException(List.of("one", "two"), ExitCode.CONFIG, null);
    assertThat(report(failure)).isEqualTo(ExitCode.CONFIG);
    assertThat(printed.toString(UTF_8)).isEqualTo("hmacd: one\nhmacd: two\n");
  }

  @Test
  void usageErrorRefersToTheHelp() {
    Throwable failure = catchThrowable(() -> CommandLine.run(new String[] {"nonsense"}));
    assertThat(report(failure)).isEqualTo(ExitCode.USAGE);
    assertThat(printed.toString(UTF_8))
        .isEqualTo("hmacd: unknown command nonsense; see hmacd --help\n");
  }

  @Test
  void documentHasEachExitCodeOfAFailure() throws IOException {
    List<Integer> documented;
    try (Stream<String> lines = Files.lines(OPERATIONS)) {
      documented =
          lines
              .filter(line -> line.matches("\\| \\d+ \\|.*"))
              .map(line -> Integer.valueOf(line.split(" ", -1)[1]))
              .toList();
    }
    assertThat(documented)
        .containsExactlyInAnyOrder(
            ExitCode.FAULT_FOUND.code(),
            ExitCode.USAGE.code(),
            ExitCode.SOFTWARE.code(),
            ExitCode.TEMPORARY.code(),
            ExitCode.CONFIG.code());
  }
}

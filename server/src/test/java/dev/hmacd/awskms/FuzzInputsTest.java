package dev.hmacd.awskms;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.junit.jupiter.params.provider.Arguments.argumentSet;

import dev.hmacd.http.Http1Fuzz;
import dev.hmacd.sigv4.SigV4Fuzz;
import java.io.IOException;
import java.net.URISyntaxException;
import java.net.URL;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.Random;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/// The seed inputs of the fuzzers, and the inputs that once found a defect.
final class FuzzInputsTest {
  private static Path folder(String target) {
    URL folder = FuzzInputsTest.class.getResource("/fuzz/" + target);
    try {
      return Path.of(Objects.requireNonNull(folder, target).toURI());
    } catch (URISyntaxException e) {
      throw new IllegalStateException(e);
    }
  }

  private static Stream<Path> files(String target) throws IOException {
    try (Stream<Path> all = Files.list(folder(target))) {
      return all.sorted().toList().stream();
    }
  }

  static Stream<Arguments> inputs() throws IOException {
    return Stream.of(
            inputs("SigV4Fuzz", SigV4Fuzz::fuzzerTestOneInput),
            inputs("JsonFuzz", JsonFuzz::fuzzerTestOneInput),
            inputs("Http1Fuzz", Http1Fuzz::fuzzerTestOneInput))
        .flatMap(each -> each);
  }

  private static Stream<Arguments> inputs(String target, Consumer<byte[]> fuzzer)
      throws IOException {
    return files(target).map(file -> argumentSet(target + " " + file.getFileName(), file, fuzzer));
  }

  @ParameterizedTest
  @MethodSource("inputs")
  void inputAndItsMutationsFindNoDefect(Path file, Consumer<byte[]> fuzzer) throws IOException {
    byte[] input = Files.readAllBytes(file);
    fuzzer.accept(input);
    var random = new Random(3);
    for (int i = 0; i < 20 && input.length > 0; i++) {
      byte[] changed = input.clone();
      changed[random.nextInt(changed.length)] ^= (byte) (1 << random.nextInt(8));
      assertThatCode(() -> fuzzer.accept(changed)).doesNotThrowAnyException();
    }
  }

  /// The fuzzer needs seed inputs that are accepted.
  @Test
  void signedInputsAreAcceptedAndOthersRefused() throws IOException {
    List<Path> all = files("SigV4Fuzz").toList();
    for (Path file : all) {
      assertThat(SigV4Fuzz.isAccepted(SigV4Fuzz.request(Files.readAllBytes(file))))
          .as(file.toString())
          .isEqualTo(file.getFileName().toString().startsWith("signed-"));
    }
    assertThat(all).anyMatch(file -> file.getFileName().toString().startsWith("signed-"));
  }
}

package dev.hmacd.config;

import static org.assertj.core.api.Assertions.assertThat;

import dev.hmacd.token.TokenSelector;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// Each section `token` in `hsm-config` is valid.
final class HsmConfigTest {
  private static final Path FOLDER = Path.of("../hsm-config");
  private static final String OTHERS =
      """
      grpc: {unix_socket: {path: hmacd.sock}}
      registry: {path: registry.db}
      arn: {region: eu-central-1, account: "000000000000"}
      access: {rules: []}
      """;

  @TempDir private Path folder;

  static List<String> names() throws IOException {
    try (var files = Files.list(FOLDER)) {
      return files
          .filter(Files::isDirectory)
          .map(file -> file.getFileName().toString())
          .sorted()
          .toList();
    }
  }

  @ParameterizedTest
  @MethodSource("names")
  void sectionTokenIsValid(String name) throws Exception {
    String section = Files.readString(FOLDER.resolve(name).resolve("token.yaml"));
    Path file = Files.writeString(folder.resolve("hmacd.yaml"), section + OTHERS);
    Config.TokenSettings token = ConfigFile.read(file).tokens().getFirst();
    assertThat(token.selector()).isInstanceOf(TokenSelector.ByLabel.class);
    assertThat(token.module()).isAbsolute();
    assertThat(token.pinFile()).hasToString("/run/credentials/hmacd.service/token-pin");
  }

  @Test
  void readmeNamesEachFolder() throws IOException {
    String readme = Files.readString(FOLDER.resolve("README.md"));
    assertThat(names()).hasSizeGreaterThan(10).allMatch(name -> readme.contains("(" + name + ")"));
  }
}

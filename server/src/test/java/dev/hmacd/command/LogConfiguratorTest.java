package dev.hmacd.command;

import static org.assertj.core.api.Assertions.assertThat;

import dev.hmacd.testing.ChildDaemon;
import dev.hmacd.testing.JsonTree;
import java.io.IOException;
import java.nio.file.Files;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/// The log of a daemon in each format of `logging.format`: each line is one event, also with a
/// value that contains a line break and a quote.
@Tag("slow")
final class LogConfiguratorTest {
  private final ChildDaemon daemon = ChildDaemon.initialised();

  @AfterEach
  void close() {
    daemon.close();
  }

  /// The log of a daemon from its start to its stop, without the last line break.
  ///
  /// @param logging the section `logging` of the configuration, or an empty string
  private List<String> lines(String logging) throws IOException {
    String config = Files.readString(daemon.config());
    assertThat(config).contains("path: hmacd.sock");
    daemon.write(
        "hmacd.yaml",
        config.replace("path: hmacd.sock", "path: \"hm\\nacd\\\".sock\"") + logging + "\n");
    assertThat(daemon.serve().stop()).isZero();
    return daemon.output().lines().toList();
  }

  @Test
  void jsonLineIsOneObject() throws IOException {
    assertThat(lines("logging: {format: json}"))
        .allSatisfy(
            line ->
                assertThat(JsonTree.object(line))
                    .containsKeys("time", "level", "logger", "message"))
        .anySatisfy(
            line ->
                assertThat(JsonTree.object(line))
                    .containsEntry("level", "INFO")
                    .containsEntry("logger", "dev.hmacd.rpc.GrpcServer")
                    .containsEntry("message", "Serving gRPC on a Unix socket")
                    .containsEntry("path", daemon.folder().resolve("hm\nacd\".sock").toString()));
  }

  @Test
  void textIsTheDefault() throws IOException {
    assertThat(lines(""))
        .allSatisfy(
            line ->
                assertThat(line)
                    .matches("\\d{4}-\\d\\d-\\d\\dT[\\d:]{8}\\.\\d{3}Z [A-Z]{4,5} +\\S+ - \\S.*"))
        .anySatisfy(
            line ->
                assertThat(line)
                    .endsWith(
                        " INFO  GrpcServer - Serving gRPC on a Unix socket path=\""
                            + daemon.folder().resolve("hm\\nacd\\\".sock")
                            + "\""));
  }
}

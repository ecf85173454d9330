package dev.hmacd;

import static org.assertj.core.api.Assertions.assertThat;

import dev.hmacd.config.Config;
import dev.hmacd.config.ConfigException;
import dev.hmacd.config.ConfigFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// The comparison of the maximum heap with the bounds of a configuration.
final class HeapDemandTest {
  private static final Path EXAMPLE = Path.of("src/main/dist/hmacd.example.yaml");
  private static final Path LAUNCHER = Path.of("src/main/dist/bin/hmacd");
  private static final Pattern HEAP = Pattern.compile("(?m)^  -Xmx(\\d+)m ");

  @TempDir Path folder;

  /// The demand of a configuration.
  ///
  /// @param token lines of the section `token`
  /// @param limits lines of the section `grpc.limits`
  /// @param more further lines
  private HeapDemand demand(String token, String limits, String more)
      throws IOException, ConfigException {
    Config config =
        ConfigFile.read(
            Files.writeString(
                folder.resolve("hmacd.yaml"),
                """
                grpc: {unix_socket: {path: hmacd.sock}, limits: {%s}}
                token: {module: module.so, label: hmacd, pin_file: pin, %s}
                registry: {path: registry.db}
                arn: {region: eu-central-1, account: "000000000000"}
                access: {rules: [{principals: ["uid:0"], actions: ["*"], keys: ["*"]}]}
                %s
                """
                    .formatted(limits, token, more)));
    return HeapDemand.of(config);
  }

  /// Half of the heap is for connections, so each MiB of another bound needs 2 MiB of heap.
  private long neededMib(String token, String limits) throws IOException, ConfigException {
    return demand(token, limits, "memory: {max_connection_percent: 50}").neededMib();
  }

  @Test
  void eachBoundCounts() throws Exception {
    String largest = "max_request_bytes: 2097152, max_message_bytes: 1048576";
    String token = "lanes: 1, max_replaced_lanes: 0, queue: 256";
    long needed = neededMib(token, largest);
    assertThat(neededMib("lanes: 3, max_replaced_lanes: 0, queue: 256", largest))
        .isEqualTo(needed + 2 * 2);
    assertThat(neededMib("lanes: 1, max_replaced_lanes: 2, queue: 256", largest))
        .isEqualTo(needed + 2 * 2);
    assertThat(neededMib("lanes: 1, max_replaced_lanes: 0, queue: 768", largest))
        .isEqualTo(needed + 2 * 2);
    assertThat(neededMib(token, "max_request_bytes: 2097152, max_message_bytes: 524288"))
        .isEqualTo(needed - 1);
    assertThat(demand(token, largest, "memory: {max_connection_percent: 75}").neededMib())
        .isEqualTo(2 * needed);
  }

  @Test
  void sufficientHeapHasNoShortage() throws Exception {
    HeapDemand demand = demand("lanes: 2", "", "");
    assertThat(demand.shortage(demand.neededMib())).isEmpty();
  }

  @Test
  void smallHeapIsReportedWithBothNumbersAndTheRemedy() throws Exception {
    HeapDemand demand = demand("lanes: 2", "", "");
    long heap = demand.neededMib() - 1;
    assertThat(demand.shortage(heap).orElseThrow().text())
        .isEqualTo(
            "Heap too small for the configured bounds: limit "
                + heap
                + " MiB, needed "
                + demand.neededMib()
                + " MiB; raise -Xmx in HMACD_JAVA_OPTS, or lower token.queue");
  }

  @Test
  void remedyNamesTheLargestBound() throws Exception {
    assertThat(demand("lanes: 1024", "", "").shortage(1).orElseThrow().remedy())
        .endsWith("lower token.lanes or grpc.limits.max_message_bytes");
    assertThat(demand("queue: 1000000", "", "").shortage(1).orElseThrow().remedy())
        .endsWith("lower token.queue");
  }

  /// The collector keeps a part of the young generation free, which is not in the maximum heap.
  @Test
  void shippedLauncherHasEnoughForTheExample() throws Exception {
    Matcher heap = HEAP.matcher(Files.readString(LAUNCHER));
    assertThat(heap.find()).isTrue();
    assertThat(HeapDemand.of(ConfigFile.read(EXAMPLE)).neededMib())
        .isLessThan(Long.parseLong(heap.group(1)) - 20);
  }
}

package dev.hmacd;

import static org.assertj.core.api.Assertions.assertThat;

import dev.hmacd.config.Config;
import dev.hmacd.config.ConfigException;
import dev.hmacd.config.ConfigFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.OptionalLong;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// The comparison of the limit of file descriptors with the bounds of a configuration.
final class FileDescriptorDemandTest {
  private static final Path EXAMPLE = Path.of("src/main/dist/hmacd.example.yaml");
  private static final Path UNIT = Path.of("src/main/dist/systemd/hmacd.service");
  private static final Pattern LIMIT = Pattern.compile("(?m)^LimitNOFILE=(\\d+)$");

  @TempDir Path folder;

  /// A configuration with a Unix socket and additional lines.
  ///
  /// @param limits lines of the section `grpc.limits`
  /// @param token lines of the section `token`
  private Config config(String limits, String token, String more)
      throws IOException, ConfigException {
    return ConfigFile.read(
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
  }

  private FileDescriptorDemand demand(String limits, String token, String more) throws Exception {
    return FileDescriptorDemand.of(config(limits, token, more));
  }

  @Test
  void eachBoundCounts() throws Exception {
    String limits = "max_connections: 100, max_handshakes: 10";
    String token = "lanes: 1, max_replaced_lanes: 0";
    long needed = demand(limits, token, "").needed();
    assertThat(demand("max_connections: 101, max_handshakes: 10", token, "").needed())
        .isEqualTo(needed + 1);
    assertThat(demand("max_connections: 100, max_handshakes: 11", token, "").needed())
        .isEqualTo(needed + 1);
    assertThat(demand(limits, "lanes: 2, max_replaced_lanes: 0", "").needed())
        .isGreaterThan(needed);
    assertThat(demand(limits, "lanes: 1, max_replaced_lanes: 1", "").needed())
        .isGreaterThan(needed);
    assertThat(demand(limits, token, "metrics: {}").needed()).isEqualTo(needed + 65);
    assertThat(
            demand(
                    limits,
                    token,
                    "aws_kms: {limits: {max_connections: 1000, max_unauthenticated: 20}}")
                .needed())
        .isEqualTo(needed + 1021);
  }

  @Test
  void sufficientLimitHasNoShortage() throws Exception {
    FileDescriptorDemand demand = demand("max_connections: 100", "lanes: 2", "");
    assertThat(demand.shortage(OptionalLong.of(demand.needed()))).isEmpty();
    assertThat(demand.shortage(OptionalLong.of(Long.MAX_VALUE))).isEmpty();
    assertThat(demand.shortage(OptionalLong.empty())).isEmpty();
  }

  @Test
  void lowLimitIsReportedWithBothNumbersAndTheRemedy() throws Exception {
    FileDescriptorDemand demand = demand("max_connections: 1000", "lanes: 2", "");
    long limit = demand.needed() - 1;
    assertThat(demand.shortage(OptionalLong.of(limit)).orElseThrow().text())
        .contains(
            "limit " + limit,
            "needed " + demand.needed(),
            "LimitNOFILE=",
            "lower grpc.limits.max_connections");
  }

  @Test
  void remedyNamesTheLargestBound() throws Exception {
    assertThat(remedy("aws_kms: {limits: {max_connections: 50000}}"))
        .endsWith("lower aws_kms.limits.max_connections");
    assertThat(
            demand("max_connections: 1, max_handshakes: 1", "lanes: 1000", "")
                .shortage(OptionalLong.of(100))
                .orElseThrow()
                .remedy())
        .endsWith("lower token.lanes");
  }

  private String remedy(String more) throws Exception {
    return demand("max_connections: 1000", "lanes: 2", more)
        .shortage(OptionalLong.of(100))
        .orElseThrow()
        .remedy();
  }

  /// On a machine with up to a thousand processors.
  @Test
  void shippedUnitHasEnoughForTheExample() throws Exception {
    Matcher limit = LIMIT.matcher(Files.readString(UNIT));
    assertThat(limit.find()).isTrue();
    FileDescriptorDemand demand = FileDescriptorDemand.of(ConfigFile.read(EXAMPLE));
    assertThat(demand.needed()).isLessThan(Long.parseLong(limit.group(1)) - 3000);
  }
}

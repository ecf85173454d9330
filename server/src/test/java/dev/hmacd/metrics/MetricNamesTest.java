package dev.hmacd.metrics;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.hmacd.testing.Eventually;
import dev.hmacd.testing.LoopbackDaemon;
import dev.hmacd.testing.SoftHsm;
import dev.hmacd.v1.KeySpec;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.util.Map;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/// Names, types and HELP texts of all metrics in a scrape.
@Tag("slow")
final class MetricNamesTest {
  private static final Pattern COMMENT = Pattern.compile("# (TYPE|HELP) (\\S+) (.*)");

  /// Functions of PromQL depend on the type: `rate()` is valid for counters only.
  @Test
  void onlyCountersEndInTotal() throws Exception {
    String scrape = scrape();
    Map<String, String> types = comments(scrape, "TYPE");
    assertThat(types)
        .containsEntry("hmacd_connections_cut_for_memory_total", "counter")
        .containsEntry("hmacd_connections_refused_total", "counter")
        .containsEntry("hmacd_aws_kms_connections_refused_total", "counter")
        .containsEntry("hmacd_lanes_replaced", "gauge");
    assertThat(types)
        .allSatisfy(
            (name, type) ->
                assertThat(name.endsWith("_total")).as(name).isEqualTo(type.equals("counter")));
  }

  @Test
  void instantsAndDurationsHaveTheirSuffixes() throws Exception {
    Map<String, String> seconds = comments(scrape(), "TYPE");
    // All client libraries of Prometheus have process_start_time_seconds.
    seconds.keySet().removeIf(name -> !name.endsWith("_seconds") || name.startsWith("process_"));
    assertThat(seconds)
        .hasSizeGreaterThan(3)
        .allSatisfy(
            (name, type) ->
                assertThat(name)
                    .endsWith(
                        type.equals("histogram") ? "_duration_seconds" : "_timestamp_seconds"));
  }

  @Test
  void buildProcessAndRegistryHaveMetrics() throws Exception {
    assertThat(scrape())
        .containsPattern("(?m)^hmacd_build_info\\{.*\\bversion=\"[^\"]+\".*} 1$")
        .containsPattern("(?m)^hmacd_build_info\\{.*\\bcommit=\"[^\"]+\".*} 1$")
        .containsPattern("(?m)^process_start_time_seconds [1-9]")
        .containsPattern("(?m)^process_cpu_seconds_total [0-9]")
        .containsPattern("(?m)^process_resident_memory_bytes [1-9]")
        .containsPattern("(?m)^hmacd_reload_healthy\\{files=\"configuration\"} 1\\.0$")
        .containsPattern("(?m)^hmacd_reload_healthy\\{files=\"tls\"} 1\\.0$")
        .containsPattern("(?m)^hmacd_last_load_timestamp_seconds\\{files=\"tls\"} [1-9]")
        .containsPattern("(?m)^process_open_fds [1-9]")
        .containsPattern("(?m)^process_max_fds [1-9]")
        .containsPattern("(?m)^hmacd_metrics_connections 1\\.0$")
        .containsPattern("(?m)^hmacd_registry_healthy 1\\.0$")
        .containsPattern("(?m)^hmacd_registry_cache_bytes [0-9]")
        .containsPattern("(?m)^hmacd_registry_cache_entries\\{state=\"present\"} [0-9]")
        .containsPattern("(?m)^hmacd_registry_loads_total [0-9]")
        .containsPattern("(?m)^hmacd_registry_evictions_total 0\\.0$");
  }

  @Test
  void callsHaveTheirEdge() {
    try (var daemon = LoopbackDaemon.withAdmin().start();
        var client = HttpClient.newHttpClient()) {
      var _ = daemon.as("admin").createKey(KeySpec.KEY_SPEC_HMAC_256);
      Eventually.holds(
          "the call is counted with its edge",
          () ->
              body(daemon, client)
                  .contains(
                      "hmacd_calls_total{edge=\"grpc\",method=\"CreateKey\",reason=\"OK\"} 1.0\n"));
    }
  }

  @Test
  void refusedReloadIsReportedUntilTheNextSuccess() throws Exception {
    try (var daemon = LoopbackDaemon.withAdmin().start()) {
      assertThat(daemon.metric("hmacd_reload_healthy")).isEqualTo(2);
      daemon.daemon().configurationRefused();
      assertThat(daemon.metric("hmacd_reload_healthy")).isEqualTo(1);
      String key = Files.readString(daemon.folder().resolve("server-key.pem"));
      Files.writeString(daemon.folder().resolve("server-key.pem"), "");
      assertThatThrownBy(daemon.daemon()::reloadTls).hasMessageContaining("grpc.tls.private_key");
      assertThat(daemon.metric("hmacd_reload_healthy")).isEqualTo(0);
      Files.writeString(daemon.folder().resolve("server-key.pem"), key);
      daemon.daemon().reloadTls();
      daemon.daemon().configurationAccepted();
      assertThat(daemon.metric("hmacd_reload_healthy")).isEqualTo(2);
    }
  }

  @Test
  void helpStandsAlone() throws Exception {
    Map<String, String> help = comments(scrape(), "HELP");
    assertThat(help)
        .hasSizeGreaterThan(20)
        .allSatisfy(
            (name, text) ->
                assertThat(text)
                    .as(name)
                    .endsWith(".")
                    .doesNotContainPattern("^(Its|Their|It|They)\\b|since the start"));
  }

  private static Map<String, String> comments(String scrape, String kind) {
    return scrape
        .lines()
        .map(COMMENT::matcher)
        .filter(line -> line.matches() && line.group(1).equals(kind))
        .collect(Collectors.toMap(line -> line.group(2), line -> line.group(3)));
  }

  private static String scrape() {
    try (var daemon = LoopbackDaemon.on(SoftHsm.shared()).allowingAll("admin").awsKms().start();
        var client = HttpClient.newHttpClient()) {
      var _ =
          daemon.as("admin").createKey(KeySpec.KEY_SPEC_HMAC_256); // `hmacd_calls` counts the call.
      return body(daemon, client);
    }
  }

  private static String body(LoopbackDaemon daemon, HttpClient client) {
    URI metrics = URI.create("http://127.0.0.1:" + daemon.daemon().metricsPort() + "/metrics");
    try {
      return client
          .send(HttpRequest.newBuilder(metrics).build(), HttpResponse.BodyHandlers.ofString())
          .body();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException(e);
    }
  }
}

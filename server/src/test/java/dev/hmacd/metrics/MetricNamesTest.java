package dev.hmacd.metrics;

import static org.assertj.core.api.Assertions.assertThat;

import dev.hmacd.testing.LoopbackDaemon;
import dev.hmacd.testing.SoftHsm;
import dev.hmacd.v1.KeySpec;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
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
    seconds.keySet().removeIf(name -> !name.endsWith("_seconds"));
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
        .containsPattern("(?m)^hmacd_build_info\\{version=\"[^\"]+\"} 1$")
        .containsPattern("(?m)^process_open_fds [1-9]")
        .containsPattern("(?m)^process_max_fds [1-9]")
        .containsPattern("(?m)^hmacd_metrics_connections 1\\.0$")
        .containsPattern("(?m)^hmacd_registry_healthy 1\\.0$");
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

  private static String scrape() throws IOException, InterruptedException {
    try (var daemon = LoopbackDaemon.on(SoftHsm.shared()).allowingAll("admin").awsKms().start();
        var client = HttpClient.newHttpClient()) {
      var _ =
          daemon.as("admin").createKey(KeySpec.KEY_SPEC_HMAC_256); // `hmacd_calls` counts the call.
      URI metrics = URI.create("http://127.0.0.1:" + daemon.daemon().metricsPort() + "/metrics");
      return client
          .send(HttpRequest.newBuilder(metrics).build(), HttpResponse.BodyHandlers.ofString())
          .body();
    }
  }
}

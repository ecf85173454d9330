package dev.hmacd.http;

import static org.assertj.core.api.Assertions.assertThat;

import dev.hmacd.testing.AwsCaller;
import dev.hmacd.testing.Eventually;
import dev.hmacd.testing.LoopbackDaemon;
import dev.hmacd.testing.RawHttp1;
import dev.hmacd.testing.RawHttp2;
import dev.hmacd.testing.SoftHsm;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/// The bounds of [MemoryBudget] hold for the memory of the AWS edge, and the owners with the most
/// memory lose connections. No timeout ends a connection in these tests.
@Tag("slow")
final class HeldMemoryTest {
  /// The bound of the process for `memory.max_connection_percent: 10`.
  private static final long BOUND = Runtime.getRuntime().maxMemory() / 100 * 10;

  /// Memory of idle connections, and the delay of the metric.
  private static final long SLACK = BOUND / 10;

  private final LoopbackDaemon daemon =
      LoopbackDaemon.on(SoftHsm.shared())
          .awsKms()
          .allowingUserAll("admin")
          .allowingUserAll("greedy")
          .memory(10)
          .awsLimit("max_unauthenticated: 4000")
          .awsLimit("request_timeout: 10m")
          .awsLimit("connection_idle: 10m");
  private final List<RawHttp2> open = new ArrayList<>();

  @AfterEach
  void close() throws IOException {
    for (RawHttp2 caller : open) {
      caller.close();
    }
    daemon.close();
  }

  private RawHttp2 caller() throws IOException {
    RawHttp2 caller = RawHttp2.to(daemon.awsPort());
    open.add(caller);
    return caller;
  }

  private double held() {
    return daemon.metric("hmacd_connection_memory_bytes");
  }

  private double cut() {
    return daemon.metric("hmacd_connections_cut_for_memory_total");
  }

  /// @param bound for the memory of the attackers
  private void assertBoundedAndOthersServed(AwsCaller admin, String key, long bound)
      throws IOException {
    Eventually.holds("connections are closed for their memory", () -> cut() > 0);
    Eventually.holds("the remaining memory is within the bound", () -> held() <= bound + SLACK);
    assertThat(admin.call("GenerateMac", AwsCaller.macOf(key)).status()).isEqualTo(200);
    for (RawHttp2 caller : open) {
      caller.close();
    }
    Eventually.holds("no memory is held", () -> held() < SLACK);
    assertThat(admin.call("GenerateMac", AwsCaller.macOf(key)).status()).isEqualTo(200);
  }

  @Test
  void headersOfUnauthenticatedCallersAreBounded() throws IOException {
    daemon.start();
    byte[] fields =
        RawHttp2.headers(
            ":method",
            "POST",
            ":scheme",
            "http",
            ":path",
            "/",
            ":authority",
            "a",
            "x-a",
            "~".repeat(15_000));
    try (var admin = new AwsCaller(daemon, "admin")) {
      String key = admin.createKey("HMAC_256");
      for (long sent = 0; sent < BOUND / 2; sent += 4 * 15_000) {
        try {
          RawHttp2 caller = caller();
          for (int stream = 1; stream < 8; stream += 2) {
            caller.frame(RawHttp2.HEADERS, RawHttp2.END_HEADERS, stream, fields);
          }
        } catch (IOException e) {
          assertThat(cut()).isPositive(); // This connection was closed for its memory.
        }
      }
      assertBoundedAndOthersServed(admin, key, BOUND / 4);
    }
  }

  @Test
  void unreadAnswersAreBounded() throws IOException {
    daemon.start();
    try (var admin = new AwsCaller(daemon, "admin");
        var greedy = new AwsCaller(daemon, "greedy")) {
      RawHttp1.Answer created =
          admin.call(
              "CreateKey",
              "{\"KeySpec\":\"HMAC_256\",\"KeyUsage\":\"GENERATE_VERIFY_MAC\",\"Description\":\""
                  + "\u00fc".repeat(8192)
                  + "\"}");
      assertThat(created.status()).as(created.body()).isEqualTo(200);
      String key = created.body().replaceFirst("(?s).*\"KeyId\":\"([^\"]*)\".*", "$1");
      Request request = greedy.signed("DescribeKey", "{\"KeyId\":\"" + key + "\"}");
      byte[] headers = AwsCaller.http2Headers(request);
      // Answers of 16 kB accumulate until they exceed the principal's bound.
      while (cut() == 0 && held() < BOUND) {
        double before = held();
        try {
          RawHttp2 caller = caller();
          caller.frame(RawHttp2.HEADERS, RawHttp2.END_HEADERS, 1, headers).data(1, request.body());
          // A valid signature raises the limit on concurrent streams.
          assertThat(caller.end(1)).isEqualTo(new RawHttp2.End.Http("200"));
          caller.frame(RawHttp2.SETTINGS, 0, 0, 0, 4, 0, 0, 0, 0); // Initial window 0.
          for (int stream = 3; stream < 203; stream += 2) {
            caller
                .frame(RawHttp2.HEADERS, RawHttp2.END_HEADERS, stream, headers)
                .data(stream, request.body());
          }
        } catch (IOException e) {
          assertThat(cut()).isPositive(); // This connection was closed for its memory.
          continue;
        }
        Eventually.holds(
            "the memory of the answers is counted",
            () -> held() >= before + 100 * 16_000 || cut() > 0);
      }
      assertBoundedAndOthersServed(admin, key, BOUND / 2);
    }
  }
}

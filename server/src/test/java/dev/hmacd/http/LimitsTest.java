package dev.hmacd.http;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.params.provider.Arguments.argumentSet;

import dev.hmacd.testing.AwsCaller;
import dev.hmacd.testing.Eventually;
import dev.hmacd.testing.LogWatch;
import dev.hmacd.testing.LoopbackDaemon;
import dev.hmacd.testing.RawHttp1;
import dev.hmacd.testing.RawHttp1.Answer;
import dev.hmacd.testing.RawHttp2;
import dev.hmacd.testing.SoftHsm;
import dev.hmacd.token.FaultyToken;
import java.io.IOException;
import java.net.SocketException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/// Limits on slow, silent and numerous callers. Authenticated callers are served meanwhile.
@Tag("slow")
final class LimitsTest {
  private static final int MAX_CONNECTIONS = 12;
  private static final int MAX_UNAUTHENTICATED = 4;

  private final FaultyToken token = new FaultyToken(SoftHsm.shared().token());
  private final LoopbackDaemon daemon =
      LoopbackDaemon.on(SoftHsm.shared())
          .awsKms()
          .allowingUserAll("admin")
          .wrapping(_ -> token)
          .token("probe_interval: 1h");

  private final List<RawHttp1> callers = new ArrayList<>();
  private final LogWatch log = LogWatch.start();

  @AfterEach
  void close() throws IOException {
    for (RawHttp1 caller : callers) {
      caller.close();
    }
    daemon.close();
    log.close();
    // The tests reach limits on purpose.
    log.assertQuietExcept(
        "Connections closed: ",
        "Requests refused: ",
        "Operations refused: ",
        "Registry operations refused: ");
  }

  private RawHttp1 caller() throws IOException {
    RawHttp1 caller = RawHttp1.to(daemon.awsPort());
    callers.add(caller);
    return caller;
  }

  private static Duration since(long start) {
    return Duration.ofNanos(System.nanoTime() - start);
  }

  @Test
  void unfinishedRequestIsAnsweredAfterTheTimeout() throws IOException {
    daemon.awsLimit("request_timeout: 1s").start();
    String head = "POST / HTTP/1.1\r\nHost: a\r\n";
    for (String part :
        List.of("PO", "POST / HT", head, head + "X-A: a", head + "Content-Length: 3\r\n\r\nab")) {
      RawHttp1 caller = caller();
      long start = System.nanoTime();
      Answer answer = caller.write(part).read();
      assertThat(answer.status()).as(part).isEqualTo(408);
      assertThat(since(start)).isGreaterThanOrEqualTo(Duration.ofMillis(900));
      assertThat(caller.isClosedByPeer()).isTrue();
    }
    // "P" can begin a request of HTTP/1.1 or of HTTP/2, so no version can carry an answer.
    assertThat(caller().write("P").isClosedByPeer()).isTrue();
  }

  static Stream<Arguments> slow() {
    String head = "POST / HTTP/1.1\r\nHost: a\r\n";
    return Stream.of(
        argumentSet("fields", head, "X-A: " + "a".repeat(100) + "\r\n"),
        argumentSet("a field", head + "X-A: ", "a"),
        argumentSet("a target", "POST /", "a"),
        argumentSet("a body", head + "Content-Length: 200000\r\n\r\n", "a"),
        argumentSet("chunks", head + "Transfer-Encoding: chunked\r\n\r\n", "1\r\na\r\n"),
        argumentSet("a chunk's line", head + "Transfer-Encoding: chunked\r\n\r\n1;", "a"));
  }

  /// The timeout is for the complete request, also if bytes arrive continuously. The test writes
  /// single bytes, so the number of fields stays below its limit.
  @ParameterizedTest
  @MethodSource("slow")
  void slowRequestIsRefusedAfterTheTimeout(String start, String more) throws Exception {
    daemon.awsLimit("request_timeout: 1s").start();
    RawHttp1 caller = caller();
    var answer = new FutureTask<>(caller::read);
    Thread.ofPlatform().start(answer);
    caller.write(start);
    var written = new AtomicInteger();
    Eventually.holds(
        "the request is refused",
        () -> {
          try {
            caller.write((byte) more.charAt(written.getAndIncrement() % more.length()));
          } catch (IOException e) {
            return true;
          }
          return answer.isDone();
        });
    assertThat(answer.get(Eventually.LIMIT.toSeconds(), TimeUnit.SECONDS).status()).isEqualTo(408);
    assertThat(caller.isClosedByPeer()).isTrue();
  }

  /// The decoded lines of an unfinished head are not in the buffer of undecoded bytes.
  @Test
  void memoryOfAnUnfinishedHeadIsCounted() throws IOException {
    daemon.awsLimit("request_timeout: 10m").start();
    List<RawHttp1> unfinished = new ArrayList<>();
    for (int i = 0; i < 20; i++) {
      unfinished.add(caller().write("POST / HTTP/1.1\r\nHost: a\r\n"));
    }
    Eventually.holds(
        "all connections are open",
        () -> daemon.metric("hmacd_aws_kms_connections") == unfinished.size());
    double before = daemon.metric("hmacd_connection_memory_bytes");
    for (RawHttp1 each : unfinished) {
      each.write(("X-A: " + "x".repeat(150) + "\r\n").repeat(90));
    }
    Eventually.holds(
        "the memory of the fields is counted",
        () ->
            daemon.metric("hmacd_connection_memory_bytes")
                >= before + unfinished.size() * 90 * (155 + 96));
  }

  /// A late request gets an answer at any phase of the connection meter.
  @Test
  void manyRequestsWithAnUnfinishedLineAreAnswered() throws IOException {
    daemon.awsLimit("request_timeout: 1s").awsLimit("max_unauthenticated: 200").start();
    List<RawHttp1> stopped = new ArrayList<>();
    for (int i = 0; i < 100; i++) {
      stopped.add(caller().write("POST / HTTP/1.1\r\nHost: a\r\nX-A: a"));
    }
    for (RawHttp1 each : stopped) {
      assertThat(each.read().status()).isEqualTo(408);
    }
  }

  @Test
  void manySlowRequestsAreRefusedAndOthersServed() throws IOException {
    daemon.awsLimit("request_timeout: 2s").start();
    try (var admin = new AwsCaller(daemon, "admin")) {
      String key = admin.createKey("HMAC_256");
      List<RawHttp1> slow = new ArrayList<>();
      for (int i = 0; i < 200; i++) {
        slow.add(caller().write("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n"));
        assertThat(admin.call("GenerateMac", AwsCaller.macOf(key)).status()).isEqualTo(200);
      }
      for (RawHttp1 caller : slow) {
        assertThat(caller.read().status()).isEqualTo(408);
      }
    }
    Eventually.holds(
        "all connections are closed", () -> daemon.metric("hmacd_aws_kms_connections") == 0);
  }

  /// The socket buffers are full of answers, so the daemon does not read further requests.
  @Test
  void connectionOfACallerThatDoesNotReadIsClosed() throws Exception {
    daemon.awsLimit("connection_idle: 1s").start();
    RawHttp1 caller = caller();
    var sending =
        new FutureTask<>(
            () -> {
              // No piece ends at the end of a request.
              String piece = "POST / HTTP/1.1\r\nHost: a\r\n\r\n".repeat(300) + "POST /";
              caller.write(piece);
              while (true) {
                caller.write(piece.substring(6));
              }
            });
    Thread.ofPlatform().start(sending);
    assertThatThrownBy(() -> sending.get(Eventually.LIMIT.toSeconds(), TimeUnit.SECONDS))
        .hasCauseInstanceOf(SocketException.class);
    Eventually.holds(
        "the connection is closed", () -> daemon.metric("hmacd_aws_kms_connections") == 0);
  }

  @Test
  void idleConnectionIsClosed() throws IOException {
    daemon.awsLimit("connection_idle: 3s").start();
    try (var admin = new AwsCaller(daemon, "admin")) {
      byte[] request = admin.bytes("GenerateMac", AwsCaller.macOf(admin.createKey("HMAC_256")));
      RawHttp1 used = caller();
      RawHttp1 unused = caller();
      assertThat(used.write(request).read().status()).isEqualTo(200);
      assertThat(used.isClosedByPeer()).isTrue();
      assertThat(unused.isClosedByPeer()).isTrue();
    }
    Eventually.holds(
        "all connections are closed", () -> daemon.metric("hmacd_aws_kms_connections") == 0);
  }

  @Test
  void silentConnectionsDoNotBlockAuthenticatedCallers() throws IOException {
    daemon
        .awsLimit("max_connections: " + MAX_CONNECTIONS)
        .awsLimit("max_unauthenticated: " + MAX_UNAUTHENTICATED)
        .start();
    try (var admin = new AwsCaller(daemon, "admin")) {
      String key = admin.createKey("HMAC_256");
      List<RawHttp1> silent = new ArrayList<>();
      for (int i = 0; i < 3 * MAX_CONNECTIONS; i++) {
        RawHttp1 caller = caller();
        silent.add(i % 2 == 0 ? caller : caller.write("POST / HTTP/1.1\r\nHo"));
      }
      assertThat(admin.call("GenerateMac", AwsCaller.macOf(key)).status()).isEqualTo(200);
      try (var fresh = new AwsCaller(daemon, "admin")) {
        assertThat(fresh.call("GenerateMac", AwsCaller.macOf(key)).status()).isEqualTo(200);
      }
      assertThat(silent.getFirst().isClosedByPeer()).isTrue();
      Eventually.holds(
          "the other connections are closed",
          () -> daemon.metric("hmacd_aws_kms_connections") <= MAX_UNAUTHENTICATED + 2);
      assertThat(daemon.metric("hmacd_aws_kms_connections_refused_total")).isGreaterThan(20);
      assertThat(
              log.count(
                  "Connections closed: maximum of unauthenticated connections reached",
                  "owner=\"127.0.0.1\""))
          .isPositive();
      assertThat(log.lines("max_connections reached")).isEmpty();
    }
  }

  /// An open HTTP/2 stream would delay a graceful close of the connection.
  @Test
  void unauthenticatedConnectionsWithOpenStreamsAreEvictedAtOnce() throws IOException {
    daemon
        .awsLimit("max_connections: " + MAX_CONNECTIONS)
        .awsLimit("max_unauthenticated: " + MAX_UNAUTHENTICATED)
        .awsLimit("request_timeout: 10m")
        .awsLimit("connection_idle: 10m")
        .start();
    try (var admin = new AwsCaller(daemon, "admin")) {
      String key = admin.createKey("HMAC_256");
      byte[] fields =
          RawHttp2.headers(":method", "POST", ":scheme", "http", ":path", "/", ":authority", "a");
      List<RawHttp2> open = new ArrayList<>();
      try {
        for (int i = 0; i < 3 * MAX_CONNECTIONS; i++) {
          open.add(
              RawHttp2.to(daemon.awsPort())
                  .frame(RawHttp2.HEADERS, RawHttp2.END_HEADERS, 1, fields));
          // An evicted connection that stays open would count, and the next would be refused.
          assertThat(admin.call("GenerateMac", AwsCaller.macOf(key)).status()).isEqualTo(200);
        }
        for (RawHttp2 evicted : open.subList(0, open.size() - MAX_UNAUTHENTICATED)) {
          assertThat(evicted.isClosedByPeer()).isTrue();
        }
        Eventually.holds(
            "the other connections are open",
            () -> daemon.metric("hmacd_aws_kms_connections") == MAX_UNAUTHENTICATED + 1);
        assertThat(daemon.metric("hmacd_aws_kms_connections_refused_total"))
            .isEqualTo(open.size() - MAX_UNAUTHENTICATED);
      } finally {
        for (RawHttp2 caller : open) {
          caller.close();
        }
      }
    }
  }

  /// A connection with an invalid signature stays unauthenticated and can be evicted.
  @Test
  void refusedSignaturesDoNotCountAsAuthentication() throws IOException {
    daemon
        .awsLimit("max_connections: " + MAX_CONNECTIONS)
        .awsLimit("max_unauthenticated: " + MAX_UNAUTHENTICATED)
        .start();
    try (var admin = new AwsCaller(daemon, "admin")) {
      String key = admin.createKey("HMAC_256");
      String bad =
          new String(admin.bytes("GenerateMac", AwsCaller.macOf(key)), ISO_8859_1)
              .replace("aGVsbG8", "aGVsbG9");
      for (int i = 0; i < 3 * MAX_CONNECTIONS; i++) {
        assertThat(caller().write(bad).read().status()).isEqualTo(400);
      }
      Eventually.holds(
          "the other connections are closed",
          () -> daemon.metric("hmacd_aws_kms_connections") <= MAX_UNAUTHENTICATED + 1);
      assertThat(admin.call("GenerateMac", AwsCaller.macOf(key)).status()).isEqualTo(200);
    }
  }

  @Test
  void requestsAboveTheLimitAreRefusedAtOnce() throws Exception {
    daemon.awsLimit("max_requests: 4").token("lanes: 1").allowingUserAll("second").start();
    try (var admin = new AwsCaller(daemon, "admin");
        var second = new AwsCaller(daemon, "second")) {
      String key = admin.createKey("HMAC_256");
      byte[] request = admin.bytes("GenerateMac", AwsCaller.macOf(key));
      byte[] others = second.bytes("GenerateMac", AwsCaller.macOf(key));
      // The first request loads the signing key, which the token computes.
      assertThat(caller().write(others).read().status()).isEqualTo(200);
      List<RawHttp1> under = new ArrayList<>();
      try (var gate = token.blocking(FaultyToken.Call.SIGN)) {
        for (int i = 0; i < 2; i++) {
          under.add(caller().write(others));
        }
        for (int i = 0; i < 2; i++) {
          under.add(caller().write(request));
        }
        gate.awaitEntered();
        Eventually.holds(
            "all requests are accepted", () -> daemon.metric("hmacd_aws_kms_requests") == 4);
        Answer refused = caller().write(request).read();
        assertThat(refused.status()).isEqualTo(400);
        assertThat(refused.body())
            .isEqualTo("{\"__type\":\"ThrottlingException\",\"message\":\"Rate exceeded\"}");
        // A disconnect makes capacity for another request.
        under.removeLast().close();
        Eventually.holds(
            "one request has ended", () -> daemon.metric("hmacd_aws_kms_requests") == 3);
        under.add(caller().write(request));
        Eventually.holds(
            "another request is accepted", () -> daemon.metric("hmacd_aws_kms_requests") == 4);
      }
      for (RawHttp1 caller : under) {
        assertThat(caller.read().status()).isEqualTo(200);
      }
    }
  }

  @Test
  void requestsAboveTheLimitOfAConnectionWaitAndAreAnswered() throws Exception {
    daemon.awsLimit("max_requests_per_connection: 2").start();
    try (var admin = new AwsCaller(daemon, "admin")) {
      String key = admin.createKey("HMAC_256");
      byte[] request = admin.bytes("GenerateMac", AwsCaller.macOf(key));
      RawHttp1 caller = caller();
      int sent = 2000;
      try (var gate = token.blocking(FaultyToken.Call.SIGN)) {
        var writer =
            Thread.ofPlatform()
                .start(
                    () -> {
                      try {
                        for (int i = 0; i < sent; i++) {
                          caller.write(request);
                        }
                      } catch (IOException e) {
                        throw new java.io.UncheckedIOException(e);
                      }
                    });
        gate.awaitEntered();
        gate.release();
        for (int i = 0; i < sent; i++) {
          assertThat(caller.read().status()).as("request %s", i).isEqualTo(200);
        }
        writer.join();
      }
    }
  }

  @Test
  void bodiesAboveTheBufferLimitEvictUnauthenticatedConnections() throws IOException {
    daemon.awsLimit("max_buffered_bytes: 1048576").awsLimit("request_timeout: 1m").start();
    try (var admin = new AwsCaller(daemon, "admin")) {
      String key = admin.createKey("HMAC_256");
      String head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n";
      for (int i = 0; i < 20; i++) {
        writeUntilEvicted(caller(), head + "x".repeat(190_000));
      }
      // Half of the buffer plus the reserve have capacity for three such bodies.
      Eventually.holds(
          "all but three connections are closed",
          () -> daemon.metric("hmacd_aws_kms_connections") <= 1 + 3);
      assertThat(admin.call("GenerateMac", AwsCaller.macOf(key)).status()).isEqualTo(200);
      // All unauthenticated callers share half of the buffer: an authenticated long body fits.
      assertThat(admin.call("CreateKey", LONG_BODY).status()).isEqualTo(200);
      assertThat(daemon.metric("hmacd_aws_kms_buffered_bytes")).isLessThan(700_000);
    }
  }

  /// Writes a body; the daemon may evict the connection meanwhile.
  private static void writeUntilEvicted(RawHttp1 caller, String text) throws IOException {
    try {
      var _ = caller.write(text);
    } catch (SocketException e) {
      assertThat(caller.isEventuallyClosedByPeer()).isTrue();
    }
  }

  /// A body that is too long for the reserve.
  private static final String LONG_BODY =
      "{\"KeySpec\":\"HMAC_256\",\"KeyUsage\":\"GENERATE_VERIFY_MAC\",\"Description\":\""
          + "d".repeat(8192)
          + "\"}";

  @Test
  void unauthenticatedCallersShareHalfOfTheBodyBuffer() throws IOException {
    daemon.awsLimit("max_buffered_bytes: 1048576").awsLimit("request_timeout: 10m").start();
    String unfinished =
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n" + "x".repeat(100_000);
    for (int i = 0; i < 7; i++) {
      writeUntilEvicted(caller(), unfinished);
    }
    Eventually.holds(
        "two of seven connections are closed",
        () -> daemon.metric("hmacd_aws_kms_connections") <= 5);
    Eventually.holds(
        "at most half of the buffer plus the reserve is in use",
        () -> daemon.metric("hmacd_aws_kms_buffered_bytes") <= (1 << 19) + (1 << 16));
  }

  /// The unfinished bodies fill the share of all unauthenticated callers and the reserve.
  @Test
  void unfinishedShortBodiesDoNotBlockOtherCallers() throws IOException {
    daemon.awsLimit("max_buffered_bytes: 1048576").awsLimit("request_timeout: 10m").start();
    try (var admin = new AwsCaller(daemon, "admin")) {
      String mac = AwsCaller.macOf(admin.createKey("HMAC_256"));
      String head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 8000\r\n\r\n";
      int bytes = 7900;
      int fitting = ((1 << 19) + (1 << 16)) / bytes; // Half of the buffer plus the reserve.
      // One body after the other: concurrent bodies are decoded in turns.
      for (int i = 1; i <= fitting; i++) {
        RawHttp1 _ = caller().write(head + "x".repeat(bytes));
        int held = i * bytes;
        Eventually.holds(
            "the body is buffered", () -> daemon.metric("hmacd_aws_kms_buffered_bytes") == held);
      }
      int evicting = 16;
      for (int i = 1; i <= evicting; i++) {
        RawHttp1 _ = caller().write(head + "x".repeat(bytes));
        int evicted = i;
        Eventually.holds(
            "the body has evicted one connection",
            () -> daemon.metric("hmacd_aws_kms_connections_refused_total") == evicted);
      }
      // A body in many pieces evicts one connection, not one for each piece.
      RawHttp1 slow = caller().write(head);
      for (int i = 0; i < 70; i++) {
        slow.write("x".repeat(100));
      }
      Eventually.holds(
          "all pieces are buffered",
          () -> daemon.metric("hmacd_aws_kms_buffered_bytes") == (fitting - 1) * bytes + 7000);
      assertThat(daemon.metric("hmacd_aws_kms_connections_refused_total")).isEqualTo(evicting + 1);
      for (int i = 0; i < 10; i++) {
        try (var newcomer = new AwsCaller(daemon, "admin")) {
          assertThat(newcomer.call("GenerateMac", mac).status()).isEqualTo(200);
        }
      }
      assertThat(daemon.metric("hmacd_aws_kms_buffered_bytes")).isLessThan(700_000);
    }
  }

  @Test
  void principalHasHalfOfTheBodyBuffer() throws IOException {
    daemon
        .awsLimit("max_buffered_bytes: 1048576")
        .awsLimit("request_timeout: 1m")
        .allowingUserAll("greedy")
        .start();
    try (var admin = new AwsCaller(daemon, "admin");
        var greedy = new AwsCaller(daemon, "greedy")) {
      String mac = AwsCaller.macOf(admin.createKey("HMAC_256"));
      byte[] signed = greedy.bytes("GenerateMac", mac);
      String unfinished =
          "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n" + "x".repeat(170_000);
      for (int i = 0; i < 3; i++) {
        RawHttp1 caller = caller().write(signed);
        assertThat(caller.read().status()).isEqualTo(200);
        caller.write(unfinished);
      }
      Eventually.holds(
          "the bodies are buffered",
          () -> daemon.metric("hmacd_aws_kms_buffered_bytes") >= 3 * 170_000);
      RawHttp1 oneMore = caller().write(signed);
      assertThat(oneMore.read().status()).isEqualTo(200);
      assertThat(log.lines("Requests refused: ")).isEmpty();
      assertThat(oneMore.write(unfinished).read().status()).isEqualTo(503);
      assertThat(
              log.count(
                  "Requests refused: max_buffered_bytes reached",
                  "owner=\"" + LoopbackDaemon.arn("greedy") + "\""))
          .isPositive();
      assertThat(admin.call("CreateKey", LONG_BODY).status()).isEqualTo(200);
    }
  }

  @Test
  void principalHasHalfOfTheRegistryQueue() throws IOException {
    daemon
        .token("lanes: 1")
        .token("hang_timeout: 10m")
        .awsLimit("max_call_time: 10m")
        .allowingUserAll("greedy")
        .start();
    try (var admin = new AwsCaller(daemon, "admin");
        var greedy = new AwsCaller(daemon, "greedy")) {
      String mac = AwsCaller.macOf(admin.createKey("HMAC_256"));
      assertThat(greedy.call("GenerateMac", mac).status()).isEqualTo(200);
      byte[] create =
          greedy.bytes(
              "CreateKey", "{\"KeySpec\":\"HMAC_256\",\"KeyUsage\":\"GENERATE_VERIFY_MAC\"}");
      RawHttp1 first = caller();
      try (var gate = token.blocking(FaultyToken.Call.GENERATE)) {
        for (int i = 0; i < 128; i++) {
          first.write(create);
        }
        gate.awaitEntered();
        Eventually.holds(
            "all requests are accepted", () -> daemon.metric("hmacd_token_queue") == 127);
        assertThat(caller().write(create).read().body())
            .contains("ThrottlingException", "too many requests of this client");
        assertThat(admin.call("ListKeys", "{}").status()).isEqualTo(200);
      }
      for (int i = 0; i < 128; i++) {
        assertThat(first.read().status()).isEqualTo(200);
      }
      assertThat(greedy.call("ListKeys", "{}").status()).isEqualTo(200);
    }
  }

  /// `connection_idle` is longer than `request_timeout`.
  @Test
  void connectionWithAnUnfinishedFrameIsClosedAfterTheRequestTimeout() throws IOException {
    daemon.awsLimit("request_timeout: 1s").awsLimit("connection_idle: 10m").start();
    try (var caller = RawHttp2.to(daemon.awsPort())) {
      // A PING frame without its last byte.
      caller.bytes(Arrays.copyOf(RawHttp2.frameBytes(RawHttp2.PING, 0, 0, new byte[8]), 16));
      assertThat(caller.isClosedByPeer()).isTrue();
    }
  }

  @Test
  void principalCannotHoldAllConnections() throws IOException {
    daemon.awsLimit("max_connections: " + MAX_CONNECTIONS).allowingUserAll("greedy").start();
    try (var admin = new AwsCaller(daemon, "admin");
        var greedy = new AwsCaller(daemon, "greedy")) {
      String key = admin.createKey("HMAC_256");
      List<RawHttp1> kept = new ArrayList<>();
      for (int i = 0; i < 2 * MAX_CONNECTIONS; i++) {
        kept.add(caller());
        kept.getLast().write(greedy.bytes("GenerateMac", AwsCaller.macOf(key)));
        if (i < MAX_CONNECTIONS - 2) {
          assertThat(kept.getLast().read().status()).as("connection %s", i).isEqualTo(200);
        }
      }
      for (int i = 0; i < MAX_CONNECTIONS / 2 - 1; i++) {
        RawHttp1 caller = caller().write(admin.bytes("GenerateMac", AwsCaller.macOf(key)));
        assertThat(caller.read().status())
            .as("connection %s of the other principal", i)
            .isEqualTo(200);
      }
      assertThat(kept.getFirst().isClosedByPeer()).isTrue();
      assertThat(
              log.count(
                  "Connections closed: max_connections reached",
                  "owner=\"" + LoopbackDaemon.arn("greedy") + "\""))
          .isPositive();
      Eventually.holds(
          "the connections are within the limit",
          // The first connection of the other principal is unauthenticated.
          () -> daemon.metric("hmacd_aws_kms_connections") <= MAX_CONNECTIONS + 1);
    }
  }

  @Test
  void fullQueueOfTheTokenMakesRoomForAnotherPrincipal() throws Exception {
    daemon
        .token("lanes: 1")
        .token("queue: 8")
        .token("hang_timeout: 10m")
        .awsLimit("max_call_time: 10m")
        .allowingUserAll("greedy")
        .start();
    try (var admin = new AwsCaller(daemon, "admin");
        var greedy = new AwsCaller(daemon, "greedy")) {
      String key = admin.createKey("HMAC_256");
      // Its signing key comes from the token, too.
      assertThat(greedy.call("GenerateMac", AwsCaller.macOf(key)).status()).isEqualTo(200);
      List<RawHttp1> taken = new ArrayList<>();
      try (var gate = token.blocking(FaultyToken.Call.SIGN)) {
        taken.add(caller().write(greedy.bytes("GenerateMac", AwsCaller.macOf(key))));
        gate.awaitEntered();
        for (int i = 1; i <= 8; i++) {
          taken.add(caller().write(greedy.bytes("GenerateMac", AwsCaller.macOf(key))));
          int waiting = i;
          Eventually.holds(
              "the operation waits", () -> daemon.metric("hmacd_token_queue") == waiting);
        }
        Answer refused = caller().write(greedy.bytes("GenerateMac", AwsCaller.macOf(key))).read();
        assertThat(refused.body()).contains("ThrottlingException");
        taken.add(caller().write(admin.bytes("GenerateMac", AwsCaller.macOf(key))));
        Answer madeRoom = taken.remove(8).read();
        assertThat(madeRoom.body()).contains("ThrottlingException");
      }
      for (RawHttp1 caller : taken) {
        assertThat(caller.read().status()).isEqualTo(200);
      }
    }
  }

  /// After a disconnect the operations stay in the token's queue, so they count for their
  /// principal.
  @ParameterizedTest
  @ValueSource(strings = {"GenerateMac", "GenerateRandom"})
  void requestsOfADisconnectedCallerCountWhileTheyAreQueued(String operation) throws IOException {
    daemon
        .token("lanes: 1")
        .token("queue: 8")
        .token("hang_timeout: 10m")
        .awsLimit("max_call_time: 10m")
        .allowingUserAll("greedy")
        .start();
    try (var admin = new AwsCaller(daemon, "admin");
        var greedy = new AwsCaller(daemon, "greedy")) {
      String key = admin.createKey("HMAC_256");
      String mac = AwsCaller.macOf(key);
      // Its signing key comes from the token, too.
      assertThat(greedy.call("GenerateMac", mac).status()).isEqualTo(200);
      String input = operation.equals("GenerateMac") ? mac : "{\"NumberOfBytes\":16}";
      byte[] next = greedy.bytes(operation, input);
      RawHttp1 other = caller();
      try (var gate = token.blocking(FaultyToken.Call.SIGN)) {
        List<RawHttp1> gone = new ArrayList<>();
        gone.add(caller().write(greedy.bytes("GenerateMac", mac)));
        gate.awaitEntered();
        for (int i = 0; i < 8; i++) {
          gone.add(caller().write(next));
        }
        Eventually.holds("eight operations wait", () -> daemon.metric("hmacd_token_queue") == 8);
        for (RawHttp1 each : gone) {
          each.close();
        }
        Eventually.holds(
            "all requests have ended", () -> daemon.metric("hmacd_aws_kms_requests") == 0);
        Answer refused = caller().write(next).read();
        assertThat(refused.status()).isEqualTo(400);
        assertThat(refused.body())
            .isEqualTo(
                "{\"__type\":\"ThrottlingException\",\"message\":\"Rate exceeded: too many requests"
                    + " of this client, or of other clients with access keys, are in flight. Wait"
                    + " for answers before you send more.\"}");
        other.write(admin.bytes("GenerateMac", mac));
        Eventually.holds(
            "the other principal's request is accepted",
            () -> daemon.metric("hmacd_aws_kms_requests") == 1);
      }
      assertThat(other.read().status()).isEqualTo(200);
      assertThat(greedy.call(operation, input).status()).isEqualTo(200);
    }
  }

  @Test
  void principalHasHalfOfTheRequests() throws IOException {
    daemon.awsLimit("max_requests: 4").token("lanes: 1").allowingUserAll("greedy").start();
    try (var admin = new AwsCaller(daemon, "admin");
        var greedy = new AwsCaller(daemon, "greedy")) {
      String mac = AwsCaller.macOf(admin.createKey("HMAC_256"));
      assertThat(greedy.call("GenerateMac", mac).status()).isEqualTo(200);
      List<RawHttp1> taken = new ArrayList<>();
      try (var gate = token.blocking(FaultyToken.Call.SIGN)) {
        for (int i = 0; i < 2; i++) {
          taken.add(caller().write(greedy.bytes("GenerateMac", mac)));
        }
        gate.awaitEntered();
        Eventually.holds(
            "both requests are accepted", () -> daemon.metric("hmacd_aws_kms_requests") == 2);
        assertThat(log.lines("Requests refused: ")).isEmpty();
        assertThat(caller().write(greedy.bytes("GenerateMac", mac)).read().body())
            .contains("ThrottlingException", "of this client");
        assertThat(
                log.count(
                    "Requests refused: max_requests reached",
                    "owner=\"" + LoopbackDaemon.arn("greedy") + "\"",
                    "owner_requests=\"2\""))
            .isEqualTo(1);
        taken.add(caller().write(admin.bytes("GenerateMac", mac)));
        Eventually.holds(
            "the other principal's request is accepted",
            () -> daemon.metric("hmacd_aws_kms_requests") == 3);
      }
      for (RawHttp1 caller : taken) {
        assertThat(caller.read().status()).isEqualTo(200);
      }
    }
  }

  @Test
  void descriptionOfMaximumLengthIsAccepted() throws IOException {
    daemon.start();
    try (var admin = new AwsCaller(daemon, "admin")) {
      String description = "\u00fc".repeat(8192);
      assertThat(description.getBytes(UTF_8)).hasSize(16384);
      Answer answer =
          admin.call(
              "CreateKey",
              "{\"KeySpec\":\"HMAC_256\",\"KeyUsage\":\"GENERATE_VERIFY_MAC\",\"Description\":\""
                  + description
                  + "\"}");
      assertThat(answer.status()).as(answer.body()).isEqualTo(200);
      assertThat(answer.body()).contains(description);
      String message = Base64.getEncoder().encodeToString(new byte[4096]);
      String key = admin.createKey("HMAC_256");
      assertThat(
              admin.call("GenerateMac", AwsCaller.macOf(key).replace("aGVsbG8=", message)).status())
          .isEqualTo(200);
    }
  }
}

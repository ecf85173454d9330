package dev.hmacd.metrics;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.hmacd.testing.Eventually;
import dev.hmacd.testing.LogWatch;
import dev.hmacd.testing.RawHttp1;
import dev.hmacd.testing.RawHttp1.Answer;
import dev.hmacd.transport.EventLoops;
import dev.hmacd.transport.ListenException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/// The HTTP server of the metrics, and its limits.
final class MetricsServerTest {
  private static final String SCRAPE = "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n";
  private static final int MAX_CONNECTIONS = MetricsServer.MAX_CONNECTIONS;

  /// No timeout ends a connection in most tests.
  private static final Duration LONG = Duration.ofHours(1);

  @TempDir Path folder;
  private final EventLoops loops = new EventLoops();
  private final Metrics metrics = new Metrics();
  private final List<AutoCloseable> opened = new ArrayList<>();

  MetricsServerTest() {
    loops.start();
  }

  @AfterEach
  void close() throws Exception {
    for (AutoCloseable each : opened.reversed()) {
      each.close();
    }
    loops.close();
  }

  private MetricsServer serve(Duration timeout) throws IOException {
    var server =
        new MetricsServer(metrics, loops, new ScrapeLimits.Settings(MAX_CONNECTIONS, timeout));
    opened.add(server);
    server.start(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
    return server;
  }

  private RawHttp1 caller(MetricsServer server) throws IOException {
    RawHttp1 caller = RawHttp1.to(server.port());
    opened.add(caller);
    return caller;
  }

  private int status(MetricsServer server) {
    try {
      return caller(server).write(SCRAPE).read().status();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private void assertServes(MetricsServer server) {
    assertThat(status(server)).isEqualTo(200);
  }

  /// Starts to read an answer on another thread.
  private static FutureTask<Answer> reading(RawHttp1 caller) {
    var task = new FutureTask<>(caller::read);
    Thread.ofPlatform().daemon().start(task);
    return task;
  }

  private static Answer get(FutureTask<Answer> task) throws Exception {
    return task.get(Eventually.LIMIT.toSeconds(), TimeUnit.SECONDS);
  }

  /// A metric that blocks scrapes.
  ///
  /// @param begun open as soon as a scrape is blocked
  /// @param end ends the block
  private record Blocked(CountDownLatch begun, CountDownLatch end) {
    double value() {
      begun.countDown();
      awaitOpen(end);
      return 1;
    }
  }

  private static void awaitOpen(CountDownLatch latch) {
    try {
      assertThat(latch.await(Eventually.LIMIT.toSeconds(), TimeUnit.SECONDS)).isTrue();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private Blocked blockScrapes() {
    var blocked = new Blocked(new CountDownLatch(1), new CountDownLatch(1));
    opened.add(() -> blocked.end().countDown());
    metrics.gauge("test_blocked", "Blocks the scrape.", blocked::value);
    return blocked;
  }

  @Test
  void connectionServesSeveralScrapes() throws IOException {
    RawHttp1 caller = caller(serve(LONG));
    for (int i = 0; i < 3; i++) {
      Answer answer = caller.write(SCRAPE).read();
      assertThat(answer.status()).isEqualTo(200);
      assertThat(answer.headers().get("content-type")).startsWith("text/plain");
      assertThat(answer.body()).contains("jvm_memory_used_bytes{area=\"heap\"}");
    }
    Answer last =
        caller.write("GET /metrics?a=b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").read();
    assertThat(last.status()).isEqualTo(200);
    assertThat(caller.isClosedByPeer()).isTrue();
  }

  /// Scrapes on a Unix socket, and returns the answer up to the end of the connection.
  private static String scrape(Path path) throws IOException {
    try (var channel = SocketChannel.open(UnixDomainSocketAddress.of(path))) {
      String request = "GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
      ByteBuffer out = ByteBuffer.wrap(request.getBytes(US_ASCII));
      while (out.hasRemaining()) {
        var _ = channel.write(out);
      }
      return new String(Channels.newInputStream(channel).readAllBytes(), US_ASCII);
    }
  }

  @Test
  void unixSocketHasItsModeAndTheBoundsOfThePort() throws IOException {
    MetricsServer server = serve(LONG);
    Path path = folder.resolve("metrics.sock");
    server.start(path, PosixFilePermissions.fromString("rw-------"));
    assertThat(Files.getPosixFilePermissions(path))
        .isEqualTo(PosixFilePermissions.fromString("rw-------"));
    assertThat(folder.resolve("metrics.sock.new")).doesNotExist();
    assertThat(scrape(path))
        .startsWith("HTTP/1.1 200 OK\r\n")
        .contains("jvm_memory_used_bytes{area=\"heap\"}");
    assertServes(server);

    RawHttp1 first = caller(server);
    Eventually.holds("the connection is counted", () -> server.openConnections() >= 1);
    SocketChannel oldest = SocketChannel.open(UnixDomainSocketAddress.of(path));
    opened.add(oldest);
    for (int i = 1; i < MAX_CONNECTIONS; i++) {
      opened.add(SocketChannel.open(UnixDomainSocketAddress.of(path)));
    }
    // The clients of the Unix socket count as one address, which has the most connections.
    assertThat(oldest.read(ByteBuffer.allocate(1))).isEqualTo(-1);
    assertThat(first.write("GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n").read().status())
        .isEqualTo(200);
    server.close();
    assertThat(path).doesNotExist();
  }

  @Test
  void otherFileAtThePathOfTheUnixSocketIsKept() throws IOException {
    MetricsServer server = serve(LONG);
    Path path = Files.writeString(folder.resolve("metrics.sock"), "precious");
    assertThatThrownBy(() -> server.start(path, PosixFilePermissions.fromString("rw-------")))
        .isInstanceOf(ListenException.class)
        .hasMessageContainingAll("metrics.unix_socket.path", path.toString(), "a regular file");
    server.close();
    assertThat(path).hasContent("precious");
  }

  @Test
  void clientSelectsOpenMetrics() throws IOException {
    String accept = "Accept: application/openmetrics-text; version=1.0.0\r\n";
    Answer answer =
        caller(serve(LONG)).write("GET /metrics HTTP/1.1\r\nHost: a\r\n" + accept + "\r\n").read();
    assertThat(answer.headers().get("content-type")).startsWith("application/openmetrics-text");
    assertThat(answer.body()).endsWith("# EOF\n");
  }

  @Test
  void oldProtocolIsServedAndClosed() throws IOException {
    RawHttp1 caller = caller(serve(LONG)).write("GET /metrics HTTP/1.0\r\n\r\n");
    assertThat(caller.read().status()).isEqualTo(200);
    assertThat(caller.isClosedByPeer()).isTrue();
  }

  @ParameterizedTest
  @CsvSource({
    "GET /, 404",
    "GET /metrics/a, 404",
    "POST /metrics, 405",
    "PRI *, 405",
  })
  void otherRequestsAreRefused(String start, int status) throws IOException {
    MetricsServer server = serve(LONG);
    RawHttp1 caller = caller(server).write(start + " HTTP/1.1\r\nHost: a\r\n\r\n");
    assertThat(caller.read().status()).isEqualTo(status);
    assertThat(caller.isClosedByPeer()).isTrue();
    assertServes(server);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "GET /metrics nonsense\r\n\r\n",
        "GET /metrics HTTP/1.1\r\nContent-Length: a\r\n\r\n",
        "GET /metrics HTTP/1.1\r\nContent-Length: 1\r\n\r\na",
        "GET /metrics HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      })
  void malformedRequestAndRequestWithABodyAreRefused(String request) throws IOException {
    MetricsServer server = serve(LONG);
    RawHttp1 caller = caller(server).write(request);
    assertThat(caller.read().status()).isEqualTo(400);
    assertThat(caller.isClosedByPeer()).isTrue();
    assertServes(server);
  }

  @Test
  void headHasALimit() throws IOException {
    MetricsServer server = serve(LONG);
    String head = "GET /metrics HTTP/1.1\r\nHost: a\r\nX: ";
    String longest = "a".repeat(MetricsServer.MAX_HEAD_BYTES - head.length());
    assertThat(caller(server).write(head + longest + "\r\n\r\n").read().status()).isEqualTo(200);
    RawHttp1 caller = caller(server).write(head + longest + "aaaaa");
    assertThat(caller.read().status()).isEqualTo(431);
    assertThat(caller.isClosedByPeer()).isTrue();
  }

  @Test
  void secondRequestBeforeTheAnswerClosesTheConnection() throws IOException {
    MetricsServer server = serve(LONG);
    Blocked blocked = blockScrapes();
    assertThat(caller(server).write(SCRAPE + SCRAPE).isClosedByPeer()).isTrue();
    blocked.end().countDown();
    assertServes(server);
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "G", "GET /metrics HTTP/1.1\r\nHost: a\r\n"})
  void incompleteRequestIsClosedAfterTheTimeout(String part) throws IOException {
    MetricsServer server = serve(Duration.ofSeconds(1));
    long start = System.nanoTime();
    assertThat(caller(server).write(part).isClosedByPeer()).isTrue();
    assertThat(System.nanoTime() - start).isGreaterThan(Duration.ofMillis(900).toNanos());
    Eventually.holds("no connection is counted", () -> server.openConnections() == 0);
  }

  /// The first scrape, which loads classes, is on a server without a short timeout.
  @Test
  void idleConnectionIsClosedAfterTheTimeout() throws IOException {
    assertServes(serve(LONG));
    MetricsServer server = serve(Duration.ofSeconds(5));
    RawHttp1 caller = caller(server).write(SCRAPE);
    assertThat(caller.read().status()).isEqualTo(200);
    assertThat(caller.isClosedByPeer()).isTrue();
  }

  /// Half of the connections are silent, the others have half a request.
  @Test
  void newConnectionEvictsTheOldestWithoutAScrape() throws Exception {
    MetricsServer server = serve(LONG);
    Blocked blocked = blockScrapes();
    FutureTask<Answer> scrape = reading(caller(server).write(SCRAPE));
    awaitOpen(blocked.begun());
    List<RawHttp1> others = new ArrayList<>();
    for (int i = 0; i < 3 * MAX_CONNECTIONS; i++) {
      others.add(caller(server));
      if (i % 2 == 1) {
        others.getLast().write("GET /metrics HT");
      }
    }
    int evicted = others.size() - (MAX_CONNECTIONS - 1);
    for (RawHttp1 each : others.subList(0, evicted)) {
      assertThat(each.isClosedByPeer()).isTrue();
    }
    Eventually.holds("the limit is reached", () -> server.openConnections() == MAX_CONNECTIONS);
    blocked.end().countDown();
    assertThat(get(scrape).status()).isEqualTo(200);
    Answer completed = others.getLast().write("TP/1.1\r\nHost: a\r\n\r\n").read();
    assertThat(completed.status()).isEqualTo(200);
    assertServes(server);
  }

  @Test
  void scrapesOfAllConnectionsAreAnswered() throws Exception {
    MetricsServer server = serve(LONG);
    Blocked blocked = blockScrapes();
    List<FutureTask<Answer>> answers = new ArrayList<>();
    for (int i = 0; i < MAX_CONNECTIONS; i++) {
      answers.add(reading(caller(server).write(SCRAPE)));
    }
    awaitOpen(blocked.begun());
    blocked.end().countDown();
    for (FutureTask<Answer> each : answers) {
      assertThat(get(each).status()).isEqualTo(200);
    }
  }

  @Test
  void connectionOfAnotherAddressIsNotEvictedInAFlood() throws IOException {
    MetricsServer server = serve(LONG);
    InetAddress address = InetAddress.getByName("127.0.0.2");
    var slow =
        new RawHttp1(new Socket(InetAddress.getLoopbackAddress(), server.port(), address, 0));
    opened.add(slow);
    slow.write("GET /metrics HT");
    List<RawHttp1> flood = new ArrayList<>();
    for (int i = 0; i < 3 * MAX_CONNECTIONS; i++) {
      flood.add(caller(server));
    }
    for (RawHttp1 each : flood.subList(0, 2 * MAX_CONNECTIONS)) {
      assertThat(each.isClosedByPeer()).isTrue();
    }
    assertThat(slow.write("TP/1.1\r\nHost: a\r\n\r\n").read().status()).isEqualTo(200);
  }

  @Test
  void abortedScrapesAreNotLogged() throws Exception {
    MetricsServer server = serve(LONG);
    assertServes(server);
    try (LogWatch log = LogWatch.start()) {
      for (int i = 0; i < 300; i++) {
        try (var socket = new Socket(InetAddress.getLoopbackAddress(), server.port())) {
          socket.setSoLinger(true, 0); // Closes with a reset.
          socket.getOutputStream().write(SCRAPE.getBytes(US_ASCII));
        }
      }
      Eventually.holds("a further scrape is served", () -> status(server) == 200);
      assertThat(log.lines("etrics connection")).allMatch(line -> line.startsWith("DEBUG"));
      log.assertQuiet();
    }
  }

  @Test
  void answerThatIsNotReadIsCut() throws IOException {
    makeAnswersLong();
    assertServes(serve(LONG));
    MetricsServer server = serve(Duration.ofSeconds(5));
    RawHttp1 caller = slowReader(server).write(SCRAPE);
    Eventually.holds("the scrape has begun", () -> server.openConnections() == 1);
    Eventually.holds("the connection is closed", () -> server.openConnections() == 0);
    assertThatThrownBy(caller::read).isInstanceOf(IOException.class);
  }

  /// Makes the answers longer than the buffers of the sockets: 21 MB.
  private void makeAnswersLong() {
    for (int i = 0; i < 400; i++) {
      metrics.ofToken(i + "-".repeat(1000)).gauge("test_long", "Has a long label.", () -> 1);
    }
  }

  /// A caller with a small receive buffer.
  private RawHttp1 slowReader(MetricsServer server) throws IOException {
    var socket = new Socket();
    socket.setReceiveBufferSize(4096);
    socket.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), server.port()));
    var caller = new RawHttp1(socket);
    opened.add(caller);
    return caller;
  }

  @Test
  void answersThatAreNotReadKeepNoOtherScrapeOut() throws IOException {
    makeAnswersLong();
    MetricsServer server = serve(LONG);
    List<RawHttp1> slow = new ArrayList<>();
    for (int i = 0; i < 2; i++) {
      slow.add(slowReader(server).write(SCRAPE));
      assertThat(slow.getLast().readStatus()).isEqualTo(200); // The answer has begun.
    }
    List<RawHttp1> others = new ArrayList<>();
    for (int i = 0; i < MAX_CONNECTIONS; i++) {
      others.add(caller(server));
    }
    for (RawHttp1 each : slow) {
      assertThat(each.isEventuallyClosedByPeer()).isTrue();
    }
    assertThat(others.getFirst().write(SCRAPE).read().status()).isEqualTo(200);
  }

  @Test
  void failedScrapeIsLoggedAtALimitedRate() throws IOException {
    MetricsServer server = serve(LONG);
    var fails = new AtomicBoolean(true);
    metrics.gauge(
        "test_failing",
        "Fails.",
        () -> {
          if (fails.get()) {
            throw new IllegalStateException("injected");
          }
          return 1;
        });
    try (LogWatch log = LogWatch.start()) {
      long start = System.nanoTime();
      for (int i = 0; i < 50; i++) {
        RawHttp1 caller = caller(server).write(SCRAPE);
        assertThat(caller.read().status()).isEqualTo(500);
        assertThat(caller.isClosedByPeer()).isTrue();
      }
      long seconds = Duration.ofNanos(System.nanoTime() - start).toSeconds();
      assertThat(log.count("Scrape of the metrics failed")).isBetween(1L, 1 + seconds / 10);
    }
    fails.set(false);
    assertServes(server);
  }
}

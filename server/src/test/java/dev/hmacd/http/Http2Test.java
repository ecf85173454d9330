package dev.hmacd.http;

import static dev.hmacd.testing.AwsCaller.http2Headers;
import static dev.hmacd.testing.AwsCaller.send;
import static dev.hmacd.testing.RawHttp2.CONTINUATION;
import static dev.hmacd.testing.RawHttp2.DATA;
import static dev.hmacd.testing.RawHttp2.END_HEADERS;
import static dev.hmacd.testing.RawHttp2.END_STREAM;
import static dev.hmacd.testing.RawHttp2.HEADERS;
import static dev.hmacd.testing.RawHttp2.RST_STREAM;
import static dev.hmacd.testing.RawHttp2.SETTINGS;
import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.params.provider.Arguments.argumentSet;

import dev.hmacd.testing.AwsCaller;
import dev.hmacd.testing.Eventually;
import dev.hmacd.testing.LogWatch;
import dev.hmacd.testing.LoopbackDaemon;
import dev.hmacd.testing.RawHttp1.Answer;
import dev.hmacd.testing.RawHttp2;
import dev.hmacd.testing.RawHttp2.End;
import dev.hmacd.testing.SoftHsm;
import dev.hmacd.token.FaultyToken;
import dev.hmacd.transport.HeaderTableChanges;
import io.netty.handler.codec.http2.Http2Error;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.net.SocketException;
import java.util.Arrays;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/// HTTP/2 with prior knowledge, on the same port as HTTP/1.1.
@Tag("slow")
final class Http2Test {
  private static final FaultyToken token = new FaultyToken(SoftHsm.shared().token());
  private static final LoopbackDaemon daemon =
      LoopbackDaemon.on(SoftHsm.shared())
          .awsKms()
          // No timeout ends a connection in these tests.
          .awsLimit("request_timeout: 10m")
          .awsLimit("connection_idle: 10m")
          .awsLimit("max_requests_per_connection: 8")
          .allowingUserAll("admin")
          .wrapping(_ -> token)
          .token("probe_interval: 1h")
          .token("lanes: 1");
  private static AwsCaller admin;
  private static LogWatch log;
  private static String key = "";

  @BeforeAll
  static void start() throws IOException {
    daemon.start();
    log = LogWatch.start();
    admin = new AwsCaller(daemon, "admin");
    key = createKey("HMAC_256");
  }

  @AfterAll
  static void stop() throws IOException {
    admin.close();
    daemon.close();
    log.close();
    log.assertQuiet();
  }

  @AfterEach
  void callersAreServedAndMemoryIsReleased() throws IOException {
    assertThat(call("GenerateMac", AwsCaller.macOf(key)).status()).isEqualTo(200);
    Eventually.holds(
        "no request and no buffered byte remains",
        () ->
            daemon.metric("hmacd_aws_kms_requests") == 0
                && daemon.metric("hmacd_aws_kms_buffered_bytes") == 0);
  }

  /// Uses a new connection: the daemon closes idle connections.
  private static Answer call(String operation, String json) throws IOException {
    try (var caller = new AwsCaller(daemon, "admin")) {
      return caller.call(operation, json);
    }
  }

  private static String createKey(String spec) throws IOException {
    try (var caller = new AwsCaller(daemon, "admin")) {
      return caller.createKey(spec);
    }
  }

  @Test
  void requestsOfOneConnectionAreAnsweredOnTheirStreams() throws IOException {
    String expected = call("GenerateMac", AwsCaller.macOf(key)).body();
    try (RawHttp2 caller = RawHttp2.to(daemon.awsPort())) {
      for (int stream = 1; stream < 200; stream += 2) {
        send(caller, stream, admin.signed("GenerateMac", AwsCaller.macOf(key)));
        assertThat(caller.end(stream)).isEqualTo(new End.Http("200"));
        assertThat(caller.body()).isEqualTo(expected);
        assertThat(caller.received())
            .containsOnlyKeys(
                ":status", "content-type", "content-length", "date", "x-amzn-requestid")
            .containsEntry("content-type", "application/x-amz-json-1.1");
      }
      assertThat(caller.headerTableBytes()).as("fields in the HPACK table").isZero();
    }
  }

  @Test
  void operationWithoutOutputIsAnsweredWithAnEmptyBody() throws IOException {
    try (RawHttp2 caller = RawHttp2.to(daemon.awsPort())) {
      send(caller, 1, admin.signed("DisableKey", "{\"KeyId\":\"" + createKey("HMAC_224") + "\"}"));
      assertThat(caller.end(1)).isEqualTo(new End.Http("200"));
      assertThat(caller.body()).isEmpty();
    }
  }

  @Test
  void tamperedRequestIsRefused() throws IOException {
    try (RawHttp2 caller = admin.authenticatedHttp2(key)) {
      Request good = admin.signed("GenerateMac", AwsCaller.macOf(key));
      byte[] body = good.body().clone();
      body[body.length - 3] ^= 1;
      caller.frame(HEADERS, END_HEADERS, 3, http2Headers(good)).data(3, body);
      assertThat(caller.end(3)).isEqualTo(new End.Http("400"));
      assertThat(caller.body()).startsWith("{\"__type\":\"InvalidSignatureException\"");
      caller
          .frame(HEADERS, END_HEADERS, 5, http2Headers(good, "x-amz-foo", "1"))
          .data(5, good.body());
      assertThat(caller.end(5)).isEqualTo(new End.Http("400"));
      send(caller, 7, good);
      assertThat(caller.end(7)).isEqualTo(new End.Http("200"));
    }
  }

  static Stream<Arguments> refused() {
    return Stream.of(
        refusal("404", "another path", ":method", "POST", ":path", "/x", ":authority", "a"),
        refusal("405", "GET", ":method", "GET", ":path", "/", ":authority", "a"),
        refusal("400", "no host", ":method", "POST", ":path", "/"),
        refusal(
            "400", "two hosts", ":method", "POST", ":path", "/", ":authority", "a", "host", "b"),
        refusal("400", "host twice", ":method", "POST", ":path", "/", "host", "b", "host", "b"));
  }

  private static Arguments refusal(String status, String name, String... fields) {
    return argumentSet(name, status, fields);
  }

  @ParameterizedTest
  @MethodSource("refused")
  void unsupportedRequestIsRefusedWithItsStatus(String status, String[] fields) throws IOException {
    try (RawHttp2 caller = admin.authenticatedHttp2(key)) {
      var block = new ByteArrayOutputStream();
      block.writeBytes(RawHttp2.headers(fields[0], fields[1], ":scheme", "http"));
      for (int i = 2; i < fields.length; i += 2) {
        block.writeBytes(RawHttp2.headers(fields[i], fields[i + 1]));
      }
      caller.frame(HEADERS, END_HEADERS | END_STREAM, 3, block.toByteArray());
      assertThat(caller.end(3)).isEqualTo(new End.Http(status));
      send(caller, 5, admin.signed("GenerateMac", AwsCaller.macOf(key)));
      assertThat(caller.end(5)).isEqualTo(new End.Http("200"));
    }
  }

  static Stream<Arguments> malformed() {
    return Stream.of(
        malformed("no method", ":scheme", "http", ":path", "/", ":authority", "a"),
        malformed("no path", ":method", "POST", ":scheme", "http", ":authority", "a"),
        malformed("no scheme", ":method", "POST", ":path", "/", ":authority", "a"),
        malformed("empty path", good(":path", "")),
        malformed("method twice", good(":method", "GET")),
        malformed("path twice", good(":path", "/")),
        malformed("unknown pseudo-header", good(":foo", "a")),
        malformed("pseudo-header of a response", good(":status", "200")),
        malformed("field of HTTP/2 after others", good("x-a", "a", ":foo", "a")),
        malformed("pseudo-header after a field", "x-a", "a", ":method", "POST", ":path", "/"),
        malformed("name in upper case", good("X-Amz-Target", "a")),
        malformed("no name", good("", "a")),
        malformed("name with a space", good("x a", "a")),
        malformed("name with a line break", good("x-a\r\nx-b", "a")),
        malformed("value with a line break", good("x-a", "a\r\nx-b: b")),
        malformed("value with LF", good("x-a", "a\nb")),
        malformed("value with NUL", good("x-a", "a\0b")),
        malformed("connection", good("connection", "close")),
        malformed("transfer-encoding", good("transfer-encoding", "chunked")),
        malformed("upgrade", good("upgrade", "h2c")),
        malformed("te", good("te", "gzip")),
        malformed("content-length that differs from the body", good("content-length", "3")),
        malformed("two lengths", good("content-length", "0", "content-length", "3")),
        malformed("content-length that is not a number", good("content-length", "x")));
  }

  private static String[] good(String... more) {
    return Stream.concat(
            Stream.of(":method", "POST", ":scheme", "http", ":path", "/", ":authority", "a"),
            Stream.of(more))
        .toArray(String[]::new);
  }

  private static Arguments malformed(String name, String... fields) {
    return argumentSet(name, (Object) fields);
  }

  /// RFC 9113, section 8.1.1: a stream error or a connection error.
  @ParameterizedTest
  @MethodSource("malformed")
  void malformedRequestIsRefused(String[] fields) throws IOException {
    try (RawHttp2 caller = RawHttp2.to(daemon.awsPort())) {
      caller.frame(HEADERS, END_HEADERS | END_STREAM, 1, RawHttp2.headers(fields));
      switch (caller.end(1)) {
        case End.Http(var status) -> {
          assertThat(status).isIn("400", "404");
          assertThat(caller.body()).startsWith("{\"__type\":\"");
          assertThat(caller.body())
              .as("no operation was executed")
              .containsAnyOf("BadRequestException", "UnknownOperationException");
        }
        case End.Reset(var error) -> assertThat(error).isEqualTo(Http2Error.PROTOCOL_ERROR);
        case End.GoneAway(var error, _) -> assertThat(error).isEqualTo(Http2Error.PROTOCOL_ERROR);
        case End other -> throw new AssertionError(other.toString());
      }
    }
  }

  static Stream<Arguments> connectionErrors() {
    return Stream.of(
        argumentSet("frame longer than SETTINGS_MAX_FRAME_SIZE", DATA, 0, 1, 16_385),
        argumentSet("DATA on stream 0", DATA, 0, 0, 1),
        argumentSet("DATA on an idle stream", DATA, 0, 5, 1),
        argumentSet("HEADERS on stream 0", HEADERS, END_HEADERS, 0, 1),
        argumentSet("HEADERS on a stream of the server", HEADERS, END_HEADERS, 2, 1),
        argumentSet("CONTINUATION without HEADERS", CONTINUATION, END_HEADERS, 1, 1),
        argumentSet("PUSH_PROMISE from a client", RawHttp2.PUSH_PROMISE, END_HEADERS, 1, 8),
        argumentSet("SETTINGS on a stream", RawHttp2.SETTINGS, 0, 1, 6),
        argumentSet("SETTINGS of 5 bytes", RawHttp2.SETTINGS, 0, 0, 5),
        argumentSet("PING of 7 bytes", RawHttp2.PING, 0, 0, 7),
        argumentSet("RST_STREAM on stream 0", RST_STREAM, 0, 0, 4),
        argumentSet("RST_STREAM on an idle stream", RST_STREAM, 0, 7, 4),
        argumentSet("WINDOW_UPDATE of 3 bytes", RawHttp2.WINDOW_UPDATE, 0, 0, 3),
        argumentSet("padding longer than the frame", DATA, RawHttp2.PADDED, 1, 1));
  }

  @ParameterizedTest
  @MethodSource("connectionErrors")
  void invalidFrameEndsTheConnection(int type, int flags, int stream, int length)
      throws IOException {
    byte[] payload = new byte[length];
    Arrays.fill(payload, (byte) 0xff);
    try (RawHttp2 caller = RawHttp2.to(daemon.awsPort())) {
      caller.frame(type, flags, stream, payload);
      assertThat(caller.isClosedByPeer()).isTrue();
    }
  }

  @Test
  void invalidPrefaceEndsTheConnection() throws IOException {
    try (var caller =
        new RawHttp2(new Socket(InetAddress.getLoopbackAddress(), daemon.awsPort()))) {
      caller.bytes("PRI * HTTP/2.0\r\n\r\nSM\r\n\rx".getBytes(ISO_8859_1));
      assertThat(caller.isClosedByPeer()).isTrue();
    }
  }

  @Test
  void unauthenticatedCallerGetsOneAnswer() throws IOException {
    try (RawHttp2 caller = RawHttp2.to(daemon.awsPort())) {
      byte[] unsigned = RawHttp2.headers(":method", "POST", ":scheme", "http", ":path", "/");
      caller.frame(HEADERS, END_HEADERS | END_STREAM, 1, unsigned);
      assertThat(caller.end(1)).isEqualTo(new End.Http("400"));
      assertThat(caller.isClosedByPeer()).isTrue();
    }
  }

  @Test
  void unreadAnswersHoldNoMemory() throws IOException {
    try (RawHttp2 caller = RawHttp2.to(daemon.awsPort())) {
      // SETTINGS_INITIAL_WINDOW_SIZE 0: the daemon may not send a DATA byte.
      caller.frame(SETTINGS, 0, 0, new byte[] {0, 4, 0, 0, 0, 0});
      Request request = admin.signed("GenerateMac", AwsCaller.macOf(key));
      try {
        for (int stream = 1; stream < 200; stream += 2) {
          caller.frame(HEADERS, END_HEADERS, stream, http2Headers(request, "x-amz-new", "1"));
        }
        caller.data(1, request.body());
      } catch (SocketException e) {
        // The daemon closed the connection.
      }
      assertThat(caller.isClosedByPeer()).isTrue();
    }
  }

  @Test
  void tooLongBodyAndTrailerFieldsAreRefused() throws IOException {
    try (RawHttp2 caller = RawHttp2.to(daemon.awsPort())) {
      byte[] head = http2Headers(admin.signed("GenerateMac", AwsCaller.macOf(key)));
      caller.frame(HEADERS, END_HEADERS, 1, head).paced(1, 262_145);
      assertThat(caller.end(1)).isEqualTo(new End.Http("413"));
    }
    try (RawHttp2 caller = admin.authenticatedHttp2(key)) {
      Request good = admin.signed("GenerateMac", AwsCaller.macOf(key));
      caller
          .frame(HEADERS, END_HEADERS, 3, http2Headers(good))
          .frame(DATA, 0, 3, good.body())
          .frame(HEADERS, END_HEADERS | END_STREAM, 3, RawHttp2.headers("x-amz-target", "a"));
      assertThat(caller.end(3)).isEqualTo(new End.Http("400"));
      assertThat(caller.body()).contains("BadRequestException");
    }
  }

  @Test
  void tooLongAndTooManyFieldsAreRefused() throws IOException {
    Request good = admin.signed("GenerateMac", AwsCaller.macOf(key));
    try (RawHttp2 caller = admin.authenticatedHttp2(key)) {
      String[] many = new String[202];
      Arrays.fill(many, "x");
      caller.frame(HEADERS, END_HEADERS | END_STREAM, 3, http2Headers(good, many));
      assertThat(caller.end(3)).isEqualTo(new End.Http("431"));
      caller
          .frame(HEADERS, END_STREAM, 5, http2Headers(good, "x-a", "x".repeat(8000)))
          .frame(CONTINUATION, END_HEADERS, 5, RawHttp2.headers("x-b", "x".repeat(8000)));
      assertThat(caller.end(5)).isEqualTo(new End.Http("431"));
      send(caller, 7, good);
      assertThat(caller.end(7)).isEqualTo(new End.Http("200"));
    }
  }

  @Test
  void streamAboveTheLimitIsRefusedAndTheOthersAnswered() throws Exception {
    try (RawHttp2 caller = RawHttp2.to(daemon.awsPort())) {
      try (var gate = token.blocking(FaultyToken.Call.SIGN)) {
        for (int i = 0; i < 8; i++) {
          send(caller, 1 + 2 * i, admin.signed("GenerateMac", AwsCaller.macOf(key)));
        }
        gate.awaitEntered();
        send(caller, 17, admin.signed("GenerateMac", AwsCaller.macOf(key)));
        assertThat(caller.end(17)).isEqualTo(new End.Reset(Http2Error.REFUSED_STREAM));
      }
      assertThat(caller.end(15)).isEqualTo(new End.Http("200"));
    }
  }

  @Test
  void resetStreamsReleaseTheirMemory() throws Exception {
    try (RawHttp2 caller = RawHttp2.to(daemon.awsPort())) {
      try (var gate = token.blocking(FaultyToken.Call.SIGN)) {
        send(caller, 1, admin.signed("GenerateMac", AwsCaller.macOf(key)));
        gate.awaitEntered(); // A lane does not start the operation of a stream that was reset.
        caller.frame(RST_STREAM, 0, 1, 0, 0, 0, 8);
        for (int i = 1; i < 100; i++) {
          int stream = 1 + 2 * i;
          send(caller, stream, admin.signed("GenerateMac", AwsCaller.macOf(key)));
          caller.frame(RST_STREAM, 0, stream, 0, 0, 0, 8);
        }
      }
      send(caller, 1001, admin.signed("GenerateMac", AwsCaller.macOf(key)));
      assertThat(caller.end(1001)).isEqualTo(new End.Http("200"));
    }
  }

  @Test
  void floodOfResetsEndsTheConnection() throws Exception {
    try (RawHttp2 caller = RawHttp2.to(daemon.awsPort())) {
      Request good = admin.signed("GenerateMac", AwsCaller.macOf(key));
      for (int i = 0; i < 2000; i++) {
        int stream = 1 + 2 * i;
        try {
          caller.frame(HEADERS, END_HEADERS, stream, http2Headers(good));
          caller.frame(RST_STREAM, 0, stream, 0, 0, 0, 8);
        } catch (IOException e) {
          break; // The daemon closed the connection.
        }
      }
      assertThat(caller.isClosedByPeer()).isTrue();
    }
  }

  @Test
  void floodOfContinuationsEndsTheConnection() throws Exception {
    try (RawHttp2 caller = RawHttp2.to(daemon.awsPort())) {
      caller.frame(HEADERS, 0, 1, RawHttp2.headers(":method", "POST"));
      for (int i = 0; i < 100_000; i++) {
        try {
          caller.frame(CONTINUATION, 0, 1, RawHttp2.headers("x-a", "x".repeat(100)));
        } catch (IOException e) {
          break; // The daemon closed the connection.
        }
      }
      assertThat(caller.isClosedByPeer()).isTrue();
    }
  }

  /// The limit does not depend on an acknowledgement of SETTINGS: an attacker need not send one.
  @Test
  void fourStreamsAreAcceptedUntilTheFirstValidSignature() throws Exception {
    Request good = admin.signed("GenerateMac", AwsCaller.macOf(key));
    try (RawHttp2 caller = RawHttp2.to(daemon.awsPort())) {
      for (int stream = 1; stream < 8; stream += 2) {
        caller.frame(HEADERS, END_HEADERS, stream, http2Headers(good));
      }
      for (int stream = 9; stream < 16; stream += 2) {
        send(caller, stream, good); // DATA of a refused stream is not an error.
      }
      for (int stream = 9; stream < 16; stream += 2) {
        assertThat(caller.end(stream)).isEqualTo(new End.Reset(Http2Error.REFUSED_STREAM));
      }
      caller.data(1, good.body());
      assertThat(caller.end(1)).isEqualTo(new End.Http("200"));
      // The acknowledgement of the first SETTINGS does not restore their limit.
      caller.frame(SETTINGS, RawHttp2.ACK, 0, new byte[0]);
      for (int stream = 17; stream < 26; stream += 2) {
        caller.frame(HEADERS, END_HEADERS, stream, http2Headers(good));
      }
      caller.data(25, good.body());
      assertThat(caller.end(25)).isEqualTo(new End.Http("200"));
    }
  }

  @Test
  void floodOfUnauthenticatedStreamsEndsTheConnection() throws Exception {
    Request good = admin.signed("GenerateMac", AwsCaller.macOf(key));
    try (RawHttp2 caller = RawHttp2.to(daemon.awsPort())) {
      for (int i = 0; i < 100; i++) {
        try {
          caller.frame(HEADERS, END_HEADERS, 1 + 2 * i, http2Headers(good));
        } catch (IOException e) {
          break; // The daemon closed the connection.
        }
      }
      assertThat(caller.isClosedByPeer()).isTrue();
    }
  }

  @Test
  void floodOfHeaderTableSizesEndsTheConnection() throws Exception {
    try (RawHttp2 caller = RawHttp2.to(daemon.awsPort())) {
      for (int i = 0; i <= HeaderTableChanges.MAX; i++) {
        try {
          tableSize(caller, i);
        } catch (IOException e) {
          break; // The daemon closed the connection.
        }
      }
      assertThat(caller.isClosedByPeer()).isTrue();
    }
  }

  @Test
  void connectionIsServedAfterThePermittedHeaderTableSizes() throws Exception {
    try (RawHttp2 caller = RawHttp2.to(daemon.awsPort())) {
      for (int i = 0; i < HeaderTableChanges.MAX; i++) {
        tableSize(caller, i);
      }
      send(caller, 1, admin.signed("GenerateMac", AwsCaller.macOf(key)));
      assertThat(caller.end(1)).isEqualTo(new End.Http("200"));
    }
  }

  /// Changes `SETTINGS_HEADER_TABLE_SIZE` to 256 or 512 bytes.
  private static void tableSize(RawHttp2 caller, int i) throws IOException {
    caller.frame(SETTINGS, 0, 0, 0, 1, 0, 0, 1 + i % 2, 0);
  }

  /// WINDOW_UPDATE frames have no answer and use no memory.
  @Test
  void connectionIsServedAfterAFloodOfWindowUpdates() throws Exception {
    try (RawHttp2 caller = RawHttp2.to(daemon.awsPort())) {
      for (int i = 0; i < 50_000; i++) {
        caller.frame(RawHttp2.WINDOW_UPDATE, 0, 0, 0, 0, 0, 1);
      }
      send(caller, 1, admin.signed("GenerateMac", AwsCaller.macOf(key)));
      assertThat(caller.end(1)).isEqualTo(new End.Http("200"));
    }
  }

  @Test
  void floodOfEmptyDataEndsTheConnection() throws Exception {
    try (RawHttp2 caller = RawHttp2.to(daemon.awsPort())) {
      caller.frame(
          HEADERS, END_HEADERS, 1, http2Headers(admin.signed("GenerateMac", AwsCaller.macOf(key))));
      for (int i = 0; i < 50_000; i++) {
        try {
          caller.frame(DATA, 0, 1, new byte[0]);
        } catch (IOException e) {
          break; // The daemon closed the connection.
        }
      }
      assertThat(caller.isClosedByPeer()).isTrue();
    }
  }

  @Test
  void disconnectDuringRequestsReleasesTheirMemory() throws Exception {
    try (var gate = token.blocking(FaultyToken.Call.SIGN)) {
      try (RawHttp2 caller = RawHttp2.to(daemon.awsPort())) {
        for (int i = 0; i < 5; i++) {
          send(caller, 1 + 2 * i, admin.signed("GenerateMac", AwsCaller.macOf(key)));
        }
        gate.awaitEntered();
        caller
            .frame(
                HEADERS,
                END_HEADERS,
                21,
                http2Headers(admin.signed("GenerateMac", AwsCaller.macOf(key))))
            .frame(DATA, 0, 21, new byte[1000]);
        Eventually.holds(
            "all requests are in flight", () -> daemon.metric("hmacd_aws_kms_requests") == 5);
      }
      Eventually.holds(
          "no request is in flight", () -> daemon.metric("hmacd_aws_kms_requests") == 0);
    }
  }
}

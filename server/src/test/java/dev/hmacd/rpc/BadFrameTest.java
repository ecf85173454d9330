package dev.hmacd.rpc;

import static dev.hmacd.testing.KnownMac.PATH;
import static dev.hmacd.testing.RawHttp2.CONTINUATION;
import static dev.hmacd.testing.RawHttp2.DATA;
import static dev.hmacd.testing.RawHttp2.END_HEADERS;
import static dev.hmacd.testing.RawHttp2.END_STREAM;
import static dev.hmacd.testing.RawHttp2.GOAWAY;
import static dev.hmacd.testing.RawHttp2.HEADERS;
import static dev.hmacd.testing.RawHttp2.PADDED;
import static dev.hmacd.testing.RawHttp2.PING;
import static dev.hmacd.testing.RawHttp2.PRIORITY;
import static dev.hmacd.testing.RawHttp2.PUSH_PROMISE;
import static dev.hmacd.testing.RawHttp2.RST_STREAM;
import static dev.hmacd.testing.RawHttp2.SETTINGS;
import static dev.hmacd.testing.RawHttp2.WINDOW_UPDATE;
import static dev.hmacd.testing.RawHttp2.callHeaders;
import static dev.hmacd.testing.RawHttp2.headers;
import static dev.hmacd.testing.RawHttp2.message;
import static dev.hmacd.testing.Reasons.assertNoInternalDetails;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.params.provider.Arguments.argumentSet;

import com.google.protobuf.ByteString;
import dev.hmacd.testing.Caller;
import dev.hmacd.testing.Eventually;
import dev.hmacd.testing.Footprint;
import dev.hmacd.testing.KnownMac;
import dev.hmacd.testing.LoopbackDaemon;
import dev.hmacd.testing.RawHttp2;
import dev.hmacd.testing.RawHttp2.End;
import dev.hmacd.transport.HeaderTableChanges;
import dev.hmacd.v1.CreateKeyRequest;
import dev.hmacd.v1.GenerateMacRequest;
import dev.hmacd.v1.KeySpec;
import dev.hmacd.v1.ListKeysRequest;
import dev.hmacd.v1.MacAlgorithm;
import io.netty.handler.codec.http2.Http2Error;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.SocketException;
import java.util.Arrays;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import java.util.zip.GZIPOutputStream;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLException;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/// Invalid gRPC, invalid HTTP/2 and floods of an authenticated caller: the call ends with an error,
/// or the daemon closes the connection. Other callers are served meanwhile.
final class BadFrameTest {
  private static final LoopbackDaemon daemon =
      LoopbackDaemon.withAdmin().limit("max_call_time: 4s");
  private static Caller admin;
  private static KnownMac mac;
  private static byte[] good = {};
  private static Footprint before;

  @BeforeAll
  static void start() {
    daemon.start();
    admin = daemon.as("admin");
    mac = KnownMac.create(admin);
    good = request(ByteString.copyFromUtf8("hello"));
    before = Footprint.of(daemon);
  }

  private static byte[] request(ByteString message) {
    return GenerateMacRequest.newBuilder()
        .setKeyId("alias/there")
        .setMessage(message)
        .setMacAlgorithm(MacAlgorithm.MAC_ALGORITHM_HMAC_SHA_256)
        .build()
        .toByteArray();
  }

  @AfterEach
  void nextCallerIsServed() {
    mac.assertServed(admin);
  }

  @AfterAll
  static void memoryIsReleased() {
    before.awaitRestored(daemon);
    daemon.close();
  }

  interface Script {
    void write(RawHttp2 caller) throws IOException;
  }

  private static Arguments row(String name, Object end, Script script) {
    return argumentSet(name, end, script);
  }

  /// A call of GenerateMac with these bytes in its only DATA frame.
  private static Script body(byte... bytes) {
    return caller -> caller.call(1, PATH).data(1, bytes);
  }

  private static Script compressed(byte... bytes) {
    return caller -> caller.call(1, PATH, "grpc-encoding", "gzip").data(1, message(1, bytes));
  }

  /// A call without DATA frames.
  private static Script headed(String... headers) {
    return caller -> caller.frame(HEADERS, END_HEADERS | END_STREAM, 1, headers(headers));
  }

  private static Script withHeader(String name, String value) {
    return caller ->
        caller.frame(HEADERS, END_HEADERS | END_STREAM, 1, callHeaders(PATH, name, value));
  }

  private static Script to(String path) {
    return caller -> caller.call(1, path).data(1, message(0, good));
  }

  private static Script frame(int type, int flags, int stream, int... payload) {
    return caller -> caller.frame(type, flags, stream, bytes(payload));
  }

  private static byte[] bytes(int... values) {
    byte[] bytes = new byte[values.length];
    for (int i = 0; i < bytes.length; i++) {
      bytes[i] = (byte) values[i];
    }
    return bytes;
  }

  private static byte[] gzip(byte... plain) {
    var out = new ByteArrayOutputStream();
    try (var gzip = new GZIPOutputStream(out)) {
      gzip.write(plain);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return out.toByteArray();
  }

  private static byte[] joined(byte[]... parts) {
    var out = new ByteArrayOutputStream();
    for (byte[] part : parts) {
      out.writeBytes(part);
    }
    return out.toByteArray();
  }

  /// The error of a malformed request in the contract.
  private static final String INVALID = "INVALID_ARGUMENT INVALID_FIELD";

  static Stream<Arguments> calls() {
    return Stream.of(
        row("valid call", "OK", body(message(0, good))),
        row("compressed with gzip", "OK", compressed(gzip(good))),
        row(
            "unknown frame type before the call",
            "OK",
            caller -> caller.frame(0x42, 0xff, 0, 1, 2, 3).call(1, PATH).data(1, message(0, good))),
        // Malformed messages.
        row("malformed protobuf", INVALID, body(message(0, bytes(0xff, 0xff, 0x01)))),
        row("key_id that is not UTF-8", INVALID, body(message(0, bytes(0x0a, 1, 0xff)))),
        row("key_id longer than the message", INVALID, body(message(0, bytes(0x0a, 100, 'a')))),
        row("field number 0", INVALID, body(message(0, bytes(0, 1)))),
        row("end of a group without a start", INVALID, body(message(0, bytes(0x0c)))),
        row("nested groups", INVALID, body(message(0, repeated(0x0b, 10_000)))),
        row("varint of too many bytes", INVALID, body(message(0, repeated(0xff, 20)))),
        row("truncated message", INVALID, body(message(0, Arrays.copyOf(good, good.length - 1)))),
        row("empty message", INVALID, body(message(0))),
        row(
            "unknown field",
            "INVALID_ARGUMENT UNKNOWN_FIELD",
            body(message(0, joined(good, bytes(0xf8, 0x07, 1))))),
        row(
            "field of the wrong wire type",
            "INVALID_ARGUMENT UNKNOWN_FIELD",
            body(message(0, joined(good, bytes(0x10, 1))))),
        row(
            "no message",
            INVALID,
            caller -> caller.frame(HEADERS, END_HEADERS | END_STREAM, 1, callHeaders(PATH))),
        row(
            "two messages",
            INVALID,
            caller ->
                caller.call(1, PATH).frame(DATA, 0, 1, message(0, good)).data(1, message(0, good))),
        row("two messages in one frame", INVALID, body(joined(message(0, good), message(0, good)))),
        row("gzip bomb of zeros", INVALID, compressed(gzip(new byte[50_000_000]))),
        row(
            "gzip bomb in a valid message",
            INVALID,
            compressed(gzip(request(ByteString.copyFrom(new byte[50_000_000]))))),
        row("malformed gzip", INVALID, compressed(good)),
        row("empty gzip", INVALID, compressed()),
        row("truncated gzip", INVALID, compressed(Arrays.copyOf(gzip(good), 20))),
        // Malformed gRPC: gRPC itself answers.
        row(
            "trailing byte after the message",
            "INTERNAL",
            body(joined(message(0, good), bytes(0)))),
        row("compressed without grpc-encoding", "INTERNAL", body(message(1, gzip(good)))),
        row("reserved bits", "INTERNAL", body(message(0xfe, good))),
        row("length longer than the data", "INTERNAL", body(bytes(0, 0, 0, 0, 100, 1, 2))),
        row("truncated prefix", "INTERNAL", body(bytes(0, 0, 0))),
        row(
            "length of 4 GiB",
            "RESOURCE_EXHAUSTED REQUEST_TOO_LONG",
            body(bytes(0, 0xff, 0xff, 0xff, 0xff, 1))),
        row(
            "length of 2 GiB",
            "RESOURCE_EXHAUSTED REQUEST_TOO_LONG",
            body(bytes(0, 0x7f, 0xff, 0xff, 0xff, 1))),
        row(
            "length of one byte above the limit",
            "RESOURCE_EXHAUSTED REQUEST_TOO_LONG",
            body(bytes(0, 0, 2, 0, 1))),
        row(
            "length of 4 GiB in two pieces",
            "RESOURCE_EXHAUSTED REQUEST_TOO_LONG",
            caller ->
                caller.call(1, PATH).frame(DATA, 0, 1, 0, 0xff).data(1, bytes(0xff, 0xff, 0xff))),
        row(
            "length of 4 GiB in five pieces",
            "RESOURCE_EXHAUSTED REQUEST_TOO_LONG",
            caller -> {
              caller.call(1, PATH).frame(DATA, 0, 1, 0);
              for (int i = 0; i < 4; i++) {
                caller.frame(DATA, 0, 1, 0xff);
              }
            }),
        row(
            "second message of 4 GiB",
            "RESOURCE_EXHAUSTED REQUEST_TOO_LONG",
            caller ->
                caller
                    .call(1, PATH)
                    .frame(DATA, 0, 1, joined(message(0, good), bytes(0, 0xff)))
                    .data(1, bytes(0xff, 0xff, 0xff))),
        row(
            "unknown grpc-encoding",
            "UNIMPLEMENTED",
            caller -> caller.call(1, PATH, "grpc-encoding", "snappy").data(1, message(1, good))),
        row("unknown method", "UNIMPLEMENTED METHOD_NOT_FOUND", to("/hmacd.v1.MacService/Sign")),
        row(
            "unknown service",
            "UNIMPLEMENTED METHOD_NOT_FOUND",
            to("/hmacd.v2.MacService/GenerateMac")),
        row("path without method", "UNIMPLEMENTED METHOD_NOT_FOUND", to("/hmacd.v1.MacService/")),
        row("path of a slash only", "UNIMPLEMENTED METHOD_NOT_FOUND", to("/")),
        row("path without slash", "UNIMPLEMENTED", to("*")),
        row(
            "path with parent directories",
            "UNIMPLEMENTED METHOD_NOT_FOUND",
            to("/../../hmacd.v1.MacService/GenerateMac")),
        row("empty path", Http2Error.INTERNAL_ERROR, to("")),
        row(
            "no path",
            "UNIMPLEMENTED",
            headed(
                ":method",
                "POST",
                ":scheme",
                "https",
                "content-type",
                "application/grpc",
                "te",
                "trailers")),
        row(
            "GET",
            "INTERNAL",
            headed(
                ":method",
                "GET",
                ":scheme",
                "https",
                ":path",
                PATH,
                "content-type",
                "application/grpc",
                "te",
                "trailers")),
        row(
            "no content type",
            "INTERNAL",
            headed(":method", "POST", ":scheme", "https", ":path", PATH, "te", "trailers")),
        row(
            "another content type",
            "INTERNAL",
            headed(
                ":method",
                "POST",
                ":scheme",
                "https",
                ":path",
                PATH,
                "content-type",
                "application/json",
                "te",
                "trailers")),
        row("malformed timeout", Http2Error.INTERNAL_ERROR, withHeader("grpc-timeout", "soon")),
        row(
            "timeout of nine digits",
            Http2Error.INTERNAL_ERROR,
            withHeader("grpc-timeout", "999999999S")),
        row("timeout of zero", Http2Error.CANCEL, withHeader("grpc-timeout", "0n")),
        // Headers.
        row("header of 9,000 bytes", "431", withHeader("x", "y".repeat(9000))),
        row(
            "300 headers",
            "431",
            caller ->
                caller
                    .call(
                        1,
                        PATH,
                        IntStream.range(0, 600).mapToObj(i -> "x" + i).toArray(String[]::new))
                    .data(1, message(0, good))),
        row("header name in upper case", Http2Error.PROTOCOL_ERROR, withHeader("X-Y", "z")),
        row("header of HTTP/1.1", Http2Error.PROTOCOL_ERROR, withHeader("connection", "close")),
        row("pseudo-header after a header", Http2Error.PROTOCOL_ERROR, withHeader(":x", "y")),
        row(
            "two paths",
            Http2Error.PROTOCOL_ERROR,
            headed(
                ":method",
                "POST",
                ":scheme",
                "https",
                ":path",
                PATH,
                ":path",
                PATH,
                "content-type",
                "application/grpc",
                "te",
                "trailers")),
        row(
            "binary header that is not base64",
            Http2Error.PROTOCOL_ERROR,
            withHeader("x-bin", "!!!!")),
        row(
            "wrong content-length",
            Http2Error.PROTOCOL_ERROR,
            caller -> caller.call(1, PATH, "content-length", "3").data(1, message(0, good))),
        row(
            "headers twice",
            Http2Error.PROTOCOL_ERROR,
            caller -> caller.call(1, PATH).call(1, PATH)),
        row(
            "trailers",
            Http2Error.PROTOCOL_ERROR,
            caller ->
                caller
                    .call(1, PATH)
                    .frame(DATA, 0, 1, message(0, good))
                    .frame(HEADERS, END_HEADERS | END_STREAM, 1, headers("x-a", "b"))),
        row(
            "trailers that look like a call",
            Http2Error.PROTOCOL_ERROR,
            caller ->
                caller
                    .call(1, PATH)
                    .frame(DATA, 0, 1, message(0, good))
                    .frame(HEADERS, END_HEADERS | END_STREAM, 1, callHeaders(PATH))),
        // Calls without END_STREAM.
        row("headers only", "DEADLINE_EXCEEDED DEADLINE_EXCEEDED", caller -> caller.call(1, PATH)),
        row(
            "message without END_STREAM",
            "DEADLINE_EXCEEDED DEADLINE_EXCEEDED",
            caller -> caller.call(1, PATH).frame(DATA, 0, 1, message(0, good))),
        row(
            "truncated message without END_STREAM",
            "DEADLINE_EXCEEDED DEADLINE_EXCEEDED",
            caller -> caller.call(1, PATH).frame(DATA, 0, 1, 0, 0, 0, 0, 9, 1)),
        row(
            "empty frames without END_STREAM",
            "DEADLINE_EXCEEDED DEADLINE_EXCEEDED",
            caller -> {
              caller.call(1, PATH);
              for (int i = 0; i < 100_000; i++) {
                caller.frame(DATA, 0, 1);
              }
            }));
  }

  private static byte[] repeated(int value, int times) {
    byte[] bytes = new byte[times];
    Arrays.fill(bytes, (byte) value);
    return bytes;
  }

  /// @param end a gRPC code and the reason, if any; an HTTP status; or the error code of a reset
  @ParameterizedTest
  @MethodSource("calls")
  void invalidCallEndsAndItsConnectionStaysOpen(Object end, Script script) throws IOException {
    try (RawHttp2 caller = daemon.raw("admin").preface()) {
      script.write(caller);
      switch (caller.end(1)) {
        case End.Answered(var code, var reason, var text) -> {
          assertThat((code + " " + reason).strip()).as(text).isEqualTo(end);
          assertNoInternalDetails(text);
        }
        case End.Http(var status) -> assertThat(status).isEqualTo(end);
        case End.Reset(var error) -> assertThat(error).isEqualTo(end);
        case End other -> assertThat(other).isEqualTo(end);
      }
      mac.assertServed(caller, 3);
    }
  }

  static Stream<Arguments> refusedCalls() {
    return Stream.of(
        argumentSet("unknown method", callHeaders("/hmacd.v1.MacService/Sign")),
        argumentSet("path without slash", callHeaders("*")),
        argumentSet(
            "no path and no authority",
            headers(
                ":method",
                "POST",
                ":scheme",
                "https",
                "content-type",
                "application/grpc",
                "te",
                "trailers")));
  }

  /// Otherwise, gRPC would start another call on the stream.
  @ParameterizedTest
  @MethodSource("refusedCalls")
  void secondHeadersOfARefusedCallResetItsStream(byte[] first) throws IOException {
    try (RawHttp2 caller = daemon.raw("admin").preface()) {
      assertSecondHeadersRefused(caller, first);
      mac.assertServed(caller, 3);
    }
  }

  @Test
  void secondHeadersOfAnUnauthenticatedCallResetItsStream() throws IOException {
    SSLContext nobody = daemon.ca().context(daemon.ca().issue(b -> b.subject("O=nobody")));
    try (RawHttp2 caller =
        new RawHttp2(nobody.getSocketFactory().createSocket("127.0.0.1", daemon.port()))) {
      assertSecondHeadersRefused(caller.preface(), callHeaders(PATH));
    }
  }

  private static void assertSecondHeadersRefused(RawHttp2 caller, byte[] first) throws IOException {
    caller.frame(HEADERS, END_HEADERS, 1, first);
    assertThat(caller.end(1)).isInstanceOf(End.Answered.class);
    caller.frame(HEADERS, END_HEADERS | END_STREAM, 1, callHeaders(PATH));
    assertThat(caller.end(1)).isEqualTo(new End.Reset(Http2Error.PROTOCOL_ERROR));
  }

  static Stream<Arguments> connections() {
    Http2Error protocol = Http2Error.PROTOCOL_ERROR;
    Http2Error size = Http2Error.FRAME_SIZE_ERROR;
    Http2Error flow = Http2Error.FLOW_CONTROL_ERROR;
    return Stream.of(
        row(
            "headers above the limit of the connection",
            protocol,
            withHeader("x", "y".repeat(12_000))),
        row("HEADERS on stream 0", protocol, caller -> caller.call(0, PATH)),
        row("HEADERS on a stream of the server", protocol, caller -> caller.call(2, PATH)),
        row("DATA on stream 0", protocol, frame(DATA, END_STREAM, 0, 0)),
        row("DATA on an idle stream", protocol, frame(DATA, END_STREAM, 5, 0)),
        row("RST_STREAM on an idle stream", protocol, frame(RST_STREAM, 0, 7, 0, 0, 0, 8)),
        row(
            "RST_STREAM of three bytes",
            size,
            caller -> caller.call(1, PATH).frame(RST_STREAM, 0, 1, 0, 0, 0)),
        row("WINDOW_UPDATE of zero", protocol, frame(WINDOW_UPDATE, 0, 0, 0, 0, 0, 0)),
        row("WINDOW_UPDATE of one byte", size, frame(WINDOW_UPDATE, 0, 0, 1)),
        row("window over 2 GiB", flow, frame(WINDOW_UPDATE, 0, 0, 0x7f, 0xff, 0xff, 0xff)),
        row("SETTINGS of five bytes", size, frame(SETTINGS, 0, 0, 0, 1, 0, 0, 0)),
        row("SETTINGS on a stream", protocol, frame(SETTINGS, 0, 1)),
        row("acknowledgement with a payload", size, frame(SETTINGS, 1, 0, 0, 1, 0, 0, 0, 0)),
        row("initial window of 2 GiB", flow, frame(SETTINGS, 0, 0, 0, 4, 0x80, 0, 0, 0)),
        row(
            "SETTINGS_MAX_FRAME_SIZE of one byte",
            protocol,
            frame(SETTINGS, 0, 0, 0, 5, 0, 0, 0, 1)),
        row("SETTINGS_ENABLE_PUSH of 2", protocol, frame(SETTINGS, 0, 0, 0, 2, 0, 0, 0, 2)),
        row("PING of seven bytes", size, frame(PING, 0, 0, 1, 2, 3, 4, 5, 6, 7)),
        row("PING on a stream", protocol, frame(PING, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8)),
        row(
            "push promise",
            protocol,
            caller -> caller.call(1, PATH).frame(PUSH_PROMISE, END_HEADERS, 1, 0, 0, 0, 2)),
        row("CONTINUATION without HEADERS", protocol, frame(CONTINUATION, END_HEADERS, 1)),
        row(
            "DATA between HEADERS and CONTINUATION",
            protocol,
            caller -> caller.frame(HEADERS, 0, 1, callHeaders(PATH)).frame(DATA, END_STREAM, 1)),
        row(
            "frame of 16 MiB",
            size,
            caller -> caller.bytes(bytes(0xff, 0xff, 0xff, DATA, 0, 0, 0, 0, 1))),
        row(
            "padding longer than the frame",
            protocol,
            caller -> caller.call(1, PATH).frame(DATA, PADDED, 1, 100, 1)),
        row(
            "HPACK integer of too many bytes",
            Http2Error.COMPRESSION_ERROR,
            frame(HEADERS, END_HEADERS, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff)),
        row(
            "unknown HPACK index",
            Http2Error.COMPRESSION_ERROR,
            frame(HEADERS, END_HEADERS, 1, 0xfe)),
        row(
            "ping flood",
            Http2Error.ENHANCE_YOUR_CALM,
            caller -> {
              for (int i = 0; i < 100; i++) {
                caller.frame(PING, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8);
              }
            }),
        row(
            "flood of header table sizes",
            Http2Error.ENHANCE_YOUR_CALM,
            caller -> tableSizes(caller, HeaderTableChanges.MAX + 1)),
        row(
            "flood of reset calls",
            Http2Error.ENHANCE_YOUR_CALM,
            caller -> {
              for (int i = 1; i < 1000; i += 2) {
                caller.call(i, PATH).frame(RST_STREAM, 0, i, 0, 0, 0, 8);
              }
            }),
        row(
            "flood of empty continuations",
            Http2Error.ENHANCE_YOUR_CALM,
            caller -> {
              caller.frame(HEADERS, 0, 1, callHeaders(PATH));
              for (int i = 0; i < 1000; i++) {
                caller.frame(CONTINUATION, 0, 1);
              }
            }),
        row(
            "flood of continuations with headers",
            protocol,
            caller -> {
              caller.frame(HEADERS, 0, 1, callHeaders(PATH));
              for (int i = 0; i < 10; i++) {
                caller.frame(CONTINUATION, 0, 1, headers("x" + i, "y".repeat(8000)));
              }
            }));
  }

  /// Changes `SETTINGS_HEADER_TABLE_SIZE` between 256 and 512 bytes.
  private static void tableSizes(RawHttp2 caller, int changes) throws IOException {
    for (int i = 0; i < changes; i++) {
      caller.frame(SETTINGS, 0, 0, 0, 1, 0, 0, 1 + i % 2, 0);
    }
  }

  @ParameterizedTest
  @MethodSource("connections")
  void invalidHttp2IsAnsweredWithGoAwayAndTheConnectionClosed(Http2Error error, Script script)
      throws IOException {
    try (RawHttp2 caller = daemon.raw("admin").preface()) {
      try {
        script.write(caller);
      } catch (SocketException | SSLException e) {
        // The daemon closed the connection during the flood; the GOAWAY may be lost.
        assertThat(caller.end(1))
            .matches(end -> isGoneAway(end, error) || end instanceof End.Closed);
        return;
      }
      End end = caller.end(1);
      assertThat(end).matches(e -> isGoneAway(e, error));
      assertNoInternalDetails(end.toString());
      assertThat(caller.isClosedByPeer()).isTrue();
    }
  }

  private static boolean isGoneAway(End end, Http2Error error) {
    return end instanceof End.GoneAway(var given, var _) && given == error;
  }

  static Stream<Arguments> permittedFloods() {
    return Stream.of(
        flood(
            "settings",
            caller -> {
              for (int i = 0; i < 20_000; i++) {
                caller.frame(SETTINGS, 0, 0);
              }
            }),
        flood(
            "as many header table sizes as permitted",
            caller -> tableSizes(caller, HeaderTableChanges.MAX)),
        flood(
            "window updates",
            caller -> {
              for (int i = 0; i < 100_000; i++) {
                caller.frame(WINDOW_UPDATE, 0, 0, 0, 0, 0, 1);
              }
            }),
        flood(
            "priorities of idle streams",
            caller -> {
              for (int i = 3; i < 200_000; i += 2) {
                caller.frame(PRIORITY, 0, i, 0, 0, 0, 0, 0);
              }
            }));
  }

  private static Arguments flood(String name, Script script) {
    return argumentSet(name, script);
  }

  /// The daemon keeps no memory for these frames.
  @ParameterizedTest
  @MethodSource("permittedFloods")
  void callAfterAPermittedFloodIsServed(Script script) throws IOException {
    try (RawHttp2 caller = daemon.raw("admin").preface()) {
      script.write(caller);
      mac.assertServed(caller, 1);
    }
  }

  @Test
  void callAfterGoAwayOfTheCallerIsAnswered() throws IOException {
    try (RawHttp2 caller = daemon.raw("admin").preface()) {
      caller.frame(GOAWAY, 0, 0, new byte[8]);
      mac.assertServed(caller, 1);
    }
  }

  @Test
  void noFieldOfAResponseEntersTheHeaderTableOfTheCaller() throws IOException {
    try (RawHttp2 caller = daemon.raw("admin").preface()) {
      mac.assertServed(caller, 1);
      // SETTINGS_HEADER_TABLE_SIZE: the caller allows a table of 4 GiB.
      caller.frame(SETTINGS, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff);
      mac.assertServed(caller, 3);
      assertThat(caller.headerTableBytes()).isZero();
    }
  }

  @Test
  void callAboveTheStreamLimitOfAConnectionIsRefused() throws IOException {
    try (RawHttp2 caller = daemon.raw("admin").preface()) {
      int last = 1 + 2 * 256;
      for (int i = 1; i <= last; i += 2) {
        caller.call(i, PATH);
      }
      assertThat(caller.end(last)).isEqualTo(new End.Reset(Http2Error.REFUSED_STREAM));
    }
  }

  @Test
  void callerThatDoesNotReadIsDisconnected() throws IOException {
    try (RawHttp2 caller = daemon.raw("admin").preface()) {
      byte[] refused = callHeaders(PATH);
      Eventually.holds(
          "the connection is closed",
          () -> {
            try {
              for (int i = 0; i < 1000; i++) {
                caller.frame(HEADERS, END_HEADERS | END_STREAM, caller.nextStream(), refused);
              }
              return false;
            } catch (IOException e) {
              return true;
            }
          });
      assertThat(caller.nextStream()).isLessThan(1_000_000);
    }
  }

  @Test
  void callWithTwoMessagesHasNoEffect() throws IOException {
    int keys = keys();
    byte[] create =
        message(
            0,
            CreateKeyRequest.newBuilder()
                .setKeySpec(KeySpec.KEY_SPEC_HMAC_256)
                .build()
                .toByteArray());
    try (RawHttp2 caller = daemon.raw("admin").preface()) {
      caller.call(1, "/hmacd.v1.KeyService/CreateKey").data(1, joined(create, create));
      assertThat(caller.end(1))
          .isInstanceOfSatisfying(
              End.Answered.class, end -> assertThat(end.reason()).isEqualTo("INVALID_FIELD"));
    }
    // Keys are created in order: this key is created after any key of the call.
    var _ = admin.createKey(KeySpec.KEY_SPEC_HMAC_256);
    assertThat(keys()).isEqualTo(keys + 1);
  }

  private static int keys() {
    return admin
        .keys()
        .listKeys(ListKeysRequest.newBuilder().setPageSize(1000).build())
        .getKeysCount();
  }
}

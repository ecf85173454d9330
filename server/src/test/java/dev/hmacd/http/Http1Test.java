package dev.hmacd.http;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.params.provider.Arguments.argumentSet;

import dev.hmacd.testing.AwsCaller;
import dev.hmacd.testing.Eventually;
import dev.hmacd.testing.KmsItem;
import dev.hmacd.testing.LogWatch;
import dev.hmacd.testing.LoopbackDaemon;
import dev.hmacd.testing.RawHttp1;
import dev.hmacd.testing.RawHttp1.Answer;
import dev.hmacd.testing.SoftHsm;
import java.io.IOException;
import java.net.SocketException;
import java.time.ZoneOffset;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/// HTTP/1.1: valid requests, and malformed requests as in request smuggling. The daemon answers
/// with the exact status, closes the connection, and releases all memory.
@Tag("slow")
final class Http1Test {
  private static final LoopbackDaemon daemon =
      LoopbackDaemon.on(SoftHsm.shared())
          .awsKms()
          // No timeout ends a connection in these tests.
          .awsLimit("request_timeout: 10m")
          .awsLimit("connection_idle: 10m")
          .allowingUserAll("admin");
  private static AwsCaller admin;
  private static LogWatch log;
  private static String key = "";

  @BeforeAll
  static void start() throws IOException {
    daemon.start();
    log = LogWatch.start();
    admin = new AwsCaller(daemon, "admin");
    key = admin.createKey("HMAC_256");
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
    assertThat(admin.call("GenerateMac", AwsCaller.macOf(key, "hello")).status()).isEqualTo(200);
    Eventually.holds(
        "no request and no buffered byte remains",
        () ->
            daemon.metric("hmacd_aws_kms_requests") == 0
                && daemon.metric("hmacd_aws_kms_buffered_bytes") == 0);
  }

  private static String request(String message) {
    return new String(admin.bytes("GenerateMac", AwsCaller.macOf(key, message)), ISO_8859_1);
  }

  private static RawHttp1 caller() throws IOException {
    return RawHttp1.to(daemon.awsPort());
  }

  @Test
  @KmsItem({"WIRE-1", "WIRE-4", "WIRE-5", "WIRE-8"})
  void answerHasTheHeadersOfAws() throws IOException {
    Answer answer = admin.call("GenerateMac", AwsCaller.macOf(key, "hello"));
    assertThat(answer.headers())
        .containsOnlyKeys("content-type", "content-length", "date", "x-amzn-requestid")
        .containsEntry("content-type", "application/x-amz-json-1.1");
    assertThat(answer.headers().get("x-amzn-requestid"))
        .matches("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}");
    var date =
        ZonedDateTime.parse(
            answer.headers().getOrDefault("date", ""),
            DateTimeFormatter.RFC_1123_DATE_TIME.withLocale(Locale.US));
    assertThat(date).isBetween(now().minusSeconds(20), now().plusSeconds(20));
    assertThat(
            admin
                .call("GenerateMac", AwsCaller.macOf(key, "hello"))
                .headers()
                .get("x-amzn-requestid"))
        .isNotEqualTo(answer.headers().get("x-amzn-requestid"));
  }

  private static ZonedDateTime now() {
    return ZonedDateTime.now(ZoneOffset.UTC);
  }

  @Test
  void requestsOfOneConnectionAreAnsweredInOrder() throws IOException {
    var all = new StringBuilder();
    List<String> expected = new ArrayList<>();
    for (int i = 0; i < 300; i++) {
      // Some requests need the token, some run on the event loop only.
      if (i % 3 == 1) {
        all.append(new String(admin.bytes("ListFoo" + i, "{}"), ISO_8859_1));
        expected.add("{\"__type\":\"UnknownOperationException\"}");
      } else {
        all.append(request("message " + i));
        expected.add(admin.call("GenerateMac", AwsCaller.macOf(key, "message " + i)).body());
      }
    }
    try (RawHttp1 caller = caller()) {
      var writer =
          Thread.ofPlatform()
              .start(
                  () -> {
                    try {
                      caller.write(all.toString());
                    } catch (IOException e) {
                      throw new java.io.UncheckedIOException(e);
                    }
                  });
      for (String body : expected) {
        assertThat(caller.read().body()).isEqualTo(body);
      }
      writer.join();
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  @Test
  void requestInSingleBytesIsServed() throws IOException {
    try (RawHttp1 caller = caller()) {
      for (byte b : request("hello").getBytes(ISO_8859_1)) {
        caller.write(b);
      }
      assertThat(caller.read().status()).isEqualTo(200);
    }
  }

  private static String chunked(String request, int size) {
    int end = request.indexOf("\r\n\r\n");
    String body = request.substring(end + 4);
    var chunks = new StringBuilder();
    for (int i = 0; i < body.length(); i += size) {
      String chunk = body.substring(i, Math.min(i + size, body.length()));
      chunks
          .append(Integer.toHexString(chunk.length()))
          .append("\r\n")
          .append(chunk)
          .append("\r\n");
    }
    return request
            .substring(0, end)
            .replaceFirst("(?i)content-length: \\d+", "transfer-encoding: chunked")
        + "\r\n\r\n"
        + chunks
        + "0\r\n\r\n";
  }

  @Test
  void chunkedBodyIsServed() throws IOException {
    try (RawHttp1 caller = caller()) {
      for (int size : List.of(1, 7, 1000)) {
        assertThat(caller.write(chunked(request("hello"), size)).read().status()).isEqualTo(200);
      }
      assertThat(caller.write(request("hello")).read().status()).isEqualTo(200);
    }
  }

  /// RFC 9112, section 7.1.1: a recipient ignores unrecognized chunk extensions.
  @Test
  void chunkExtensionsAndAllFormsOfChunkSizesAreServed() throws IOException {
    String request = chunked(request("hello"), 1000);
    String size = request.substring(request.indexOf("\r\n\r\n") + 4).split("\r\n", 2)[0];
    try (RawHttp1 caller = caller()) {
      for (String other : List.of("000" + size, size.toUpperCase(Locale.ROOT), size + ";a=b;c")) {
        String changed = request.replace("\r\n" + size + "\r\n", "\r\n" + other + "\r\n");
        assertThat(caller.write(changed).read().status()).as(other).isEqualTo(200);
      }
      String capitals = request.replace("transfer-encoding: chunked", "TRANSFER-ENCODING:CHUNKED");
      assertThat(caller.write(capitals).read().status()).isEqualTo(200);
    }
  }

  @Test
  void expectContinueIsAnsweredWith100() throws IOException {
    String request = request("hello").replaceFirst("\r\n", "\r\nExpect: 100-continue\r\n");
    int end = request.indexOf("\r\n\r\n") + 4;
    try (RawHttp1 caller = caller()) {
      assertThat(caller.write(request.substring(0, end)).read().status()).isEqualTo(100);
      assertThat(caller.write(request.substring(end)).read().status()).isEqualTo(200);
    }
  }

  @Test
  void connectionCloseEndsTheConnection() throws IOException {
    try (RawHttp1 caller = caller()) {
      String last = request("b").replaceFirst("\r\n", "\r\nConnection: close\r\n");
      caller.write(request("a") + last + request("c"));
      assertThat(caller.read().headers()).doesNotContainKey("connection");
      assertThat(caller.read().headers()).containsEntry("connection", "close");
      assertThat(caller.isClosedByPeer()).isTrue();
    }
  }

  private static final String HEAD = "POST / HTTP/1.1\r\nHost: localhost\r\n";

  static Stream<Arguments> malformed() {
    return Stream.of(
        bad(
            "Content-Length before chunked",
            HEAD + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        bad(
            "chunked before Content-Length",
            HEAD + "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n"),
        bad("two lengths", HEAD + "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc"),
        bad(
            "equal lengths in two fields",
            HEAD + "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc"),
        bad("two lengths in one field", HEAD + "Content-Length: 3, 3\r\n\r\nabc"),
        bad("negative length", HEAD + "Content-Length: -1\r\n\r\n"),
        bad("signed length", HEAD + "Content-Length: +3\r\n\r\nabc"),
        bad("hexadecimal length", HEAD + "Content-Length: 0x3\r\n\r\nabc"),
        bad("empty length", HEAD + "Content-Length: \r\n\r\n"),
        bad("length of too many digits", HEAD + "Content-Length: 99999999999999999999\r\n\r\n"),
        bad("gzip before chunked", HEAD + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
        bad(
            "unknown coding before chunked",
            HEAD + "Transfer-Encoding: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        bad("chunked twice", HEAD + "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"),
        bad("chunked before gzip", HEAD + "Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n"),
        bad("another coding", HEAD + "Transfer-Encoding: identity\r\n\r\n"),
        bad(
            "vertical tab before chunked",
            HEAD + "Transfer-Encoding:\u000bchunked\r\n\r\n0\r\n\r\n"),
        bad(
            "unknown coding similar to chunked",
            HEAD + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
        bad("no coding", HEAD + "Transfer-Encoding: \r\n\r\n0\r\n\r\n"),
        bad("coding in quotes", HEAD + "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n"),
        bad("coding with a parameter", HEAD + "Transfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n"),
        bad("coding on a folded line", HEAD + "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n"),
        bad(
            "space before the colon of Transfer-Encoding",
            HEAD + "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n"),
        bad("coding after a bare LF", HEAD + "X-A: a\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        bad("coding after a bare CR", HEAD + "X-A: a\rTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        bad(
            "two codings in two fields",
            HEAD + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n"),
        bad(
            "chunked in two fields",
            HEAD + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        bad("length with trailing text", HEAD + "Content-Length: 3 3\r\n\r\nabc"),
        bad("space before the colon of Content-Length", HEAD + "Content-Length : 3\r\n\r\nabc"),
        bad("space after the chunk size", HEAD + "Transfer-Encoding: chunked\r\n\r\n3 \r\nabc\r\n"),
        bad(
            "space before the chunk size",
            HEAD + "Transfer-Encoding: chunked\r\n\r\n 3\r\nabc\r\n"),
        bad("chunk size with a sign", HEAD + "Transfer-Encoding: chunked\r\n\r\n+3\r\nabc\r\n"),
        bad(
            "bare LF after a chunk",
            HEAD + "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\n0\r\n\r\n"),
        bad(
            "bare LF in a chunk extension",
            HEAD + "Transfer-Encoding: chunked\r\n\r\n3;a\nb\r\nabc\r\n0\r\n\r\n"),
        bad("bare LF at the end of the chunks", HEAD + "Transfer-Encoding: chunked\r\n\r\n0\r\n\n"),
        bad("empty chunk size", HEAD + "Transfer-Encoding: chunked\r\n\r\n\r\nabc\r\n"),
        bad("negative chunk size", HEAD + "Transfer-Encoding: chunked\r\n\r\n-1\r\nabc\r\n"),
        bad("chunk size with 0x", HEAD + "Transfer-Encoding: chunked\r\n\r\n0x3\r\nabc\r\n"),
        bad(
            "chunk size of too many digits",
            HEAD + "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n"),
        bad("chunk size with a bare LF", HEAD + "Transfer-Encoding: chunked\r\n\r\n3\nabc\r\n"),
        bad("chunk longer than its size", HEAD + "Transfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n"),
        bad(
            "trailer fields",
            HEAD + "Transfer-Encoding: chunked\r\n\r\n0\r\nX-Amz-Target: a\r\n\r\n"),
        bad(
            "Transfer-Encoding in the trailer",
            HEAD + "Transfer-Encoding: chunked\r\n\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n"),
        bad(
            "Content-Length in the trailer",
            HEAD + "Transfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 3\r\n\r\n"),
        bad("folded line", "POST / HTTP/1.1\r\nHost: localhost\r\nX-A: a\r\n b\r\n\r\n"),
        bad(
            "folded line with a tab",
            "POST / HTTP/1.1\r\nHost: localhost\r\nX-A: a\r\n\tb\r\n\r\n"),
        bad("space before the first field", "POST / HTTP/1.1\r\n Host: localhost\r\n\r\n"),
        bad("lines that end with LF", "POST / HTTP/1.1\nHost: localhost\n\n"),
        bad("one line that ends with LF", "POST / HTTP/1.1\r\nHost: localhost\nX: a\r\n\r\n"),
        bad("bare LF at the end of the head", "POST / HTTP/1.1\r\nHost: localhost\r\n\n"),
        bad("bare CR in a value", "POST / HTTP/1.1\r\nHost: localhost\r\nX-A: a\rX-B: b\r\n\r\n"),
        bad("NUL in a value", "POST / HTTP/1.1\r\nHost: localhost\r\nX-A: a\0b\r\n\r\n"),
        bad("space before the colon", "POST / HTTP/1.1\r\nHost : localhost\r\n\r\n"),
        bad("no colon", "POST / HTTP/1.1\r\nHost: localhost\r\nnonsense\r\n\r\n"),
        bad("no name", "POST / HTTP/1.1\r\nHost: localhost\r\n: a\r\n\r\n"),
        bad(
            "field name that is not a token",
            "POST / HTTP/1.1\r\nHost: localhost\r\nX(A): a\r\n\r\n"),
        bad("no host", "POST / HTTP/1.1\r\n\r\n"),
        bad("two hosts", "POST / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
        bad("two spaces in the request line", "POST  / HTTP/1.1\r\nHost: a\r\n\r\n"),
        bad("a tab in the request line", "POST\t/ HTTP/1.1\r\nHost: a\r\n\r\n"),
        bad("four parts in the request line", "POST / x HTTP/1.1\r\nHost: a\r\n\r\n"),
        bad("protocol in lower case", "POST / http/1.1\r\nHost: a\r\n\r\n"),
        bad("version of three digits", "POST / HTTP/01.1\r\nHost: a\r\n\r\n"),
        bad("truncated version", "POST / HTT\r\nHost: a\r\n\r\n"),
        bad("no version", "POST /\r\nHost: a\r\n\r\n"),
        bad("leading CR", "\rPOST / HTTP/1.1\r\nHost: a\r\n\r\n"),
        bad("leading NUL", "\0POST / HTTP/1.1\r\nHost: a\r\n\r\n"),
        bad("leading empty line", "\r\nPOST / HTTP/1.1\r\nHost: a\r\n\r\n"),
        bad("another protocol", "SSH-2.0-OpenSSH_9.2\r\n"),
        bad(
            "TLS on a plaintext port",
            "\u0016\u0003\u0001\u0002\0\u0001\0\u0001\u00fc\u0003\u0003\n\r\n"));
  }

  private static Arguments bad(String name, String request) {
    return argumentSet(name, request);
  }

  @ParameterizedTest
  @MethodSource("malformed")
  void malformedRequestIsRefusedAndTheConnectionClosed(String request) throws IOException {
    try (RawHttp1 caller = caller()) {
      // The daemon must not read the valid request after a malformed request.
      caller.write(request("before") + request + request("after"));
      assertThat(caller.read().status()).isEqualTo(200);
      Answer answer = caller.read();
      assertThat(answer.status()).as(answer.body()).isEqualTo(400);
      assertThat(answer.body()).startsWith("{\"__type\":\"BadRequestException\",\"message\":\"");
      assertThat(answer.headers())
          .containsEntry("connection", "close")
          .containsEntry("content-type", "application/x-amz-json-1.1")
          .containsKeys("date", "x-amzn-requestid");
      assertThat(caller.isClosedByPeer()).isTrue();
    }
  }

  /// The split of the bytes into reads does not change the result.
  @ParameterizedTest
  @MethodSource("malformed")
  void malformedRequestInSingleBytesIsRefused(String request) throws IOException {
    try (RawHttp1 caller = caller()) {
      try {
        for (byte b : (request + request("after")).getBytes(ISO_8859_1)) {
          caller.write(b);
        }
      } catch (SocketException e) {
        // The daemon refused the request before its end.
      }
      Answer answer = caller.read();
      assertThat(answer.status()).as(answer.body()).isEqualTo(400);
      assertThat(answer.body()).startsWith("{\"__type\":\"BadRequestException\"");
      assertThat(caller.isClosedByPeer()).isTrue();
    }
  }

  static Stream<Arguments> refused() {
    return Stream.of(
        argumentSet("HTTP/1.0", "POST / HTTP/1.0\r\nHost: a\r\n\r\n", 505),
        argumentSet("HTTP/1.2", "POST / HTTP/1.2\r\nHost: a\r\n\r\n", 505),
        argumentSet("another path", "POST /ping HTTP/1.1\r\nHost: a\r\n\r\n", 404),
        argumentSet("GET", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", 405),
        argumentSet("CONNECT", "CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", 404),
        argumentSet("another expectation", HEAD + "Expect: wonders\r\n\r\n", 417),
        argumentSet("long target", "POST /" + "x".repeat(20_000) + " HTTP/1.1\r\n", 414),
        argumentSet("long field", HEAD + "X-A: " + "x".repeat(20_000) + "\r\n", 431),
        argumentSet("long fields", HEAD + ("X-A: " + "x".repeat(1000) + "\r\n").repeat(20), 431),
        argumentSet("many fields", HEAD + "X-A: x\r\n".repeat(101) + "\r\n", 431),
        argumentSet("one field too many, unterminated head", HEAD + "a:\r\n".repeat(100), 431),
        argumentSet(
            "trailer field, unterminated",
            HEAD + "Transfer-Encoding: chunked\r\n\r\n0\r\na:\r\n",
            400),
        argumentSet(
            "too long body with Content-Length", HEAD + "Content-Length: 262145\r\n\r\n", 413),
        argumentSet(
            "too long body in chunks",
            HEAD
                + "Transfer-Encoding: chunked\r\n\r\n"
                + ("8000\r\n" + "x".repeat(0x8000) + "\r\n").repeat(8)
                + "1\r\nx\r\n",
            413));
  }

  @ParameterizedTest
  @MethodSource("refused")
  void unsupportedRequestIsRefusedWithItsStatus(String request, int status) throws IOException {
    try (RawHttp1 caller = caller()) {
      Answer answer = caller.write(request).read();
      assertThat(answer.status()).as(answer.body()).isEqualTo(status);
      assertThat(answer.body()).startsWith("{\"__type\":\"");
      if (status == 405) {
        assertThat(answer.headers()).containsEntry("allow", "POST");
      }
      if (status != 404) {
        assertThat(answer.headers()).containsEntry("connection", "close");
        assertThat(caller.isClosedByPeer()).isTrue();
      }
    }
  }

  @Test
  void requestWithAsManyFieldsAsTheLimitIsServed() throws IOException {
    String request = request("hello");
    long fields = request.substring(0, request.indexOf("\r\n\r\n")).lines().count() - 1;
    String more = "\r\n" + "a:\r\n".repeat(Math.toIntExact(100 - fields));
    try (RawHttp1 caller = caller()) {
      for (int i = 0; i < 3; i++) {
        caller.write(request.replaceFirst("\r\n", more));
        assertThat(caller.read().status()).isEqualTo(200);
      }
      caller.write(request.replaceFirst("\r\n", more + "a:\r\n"));
      assertThat(caller.read().status()).isEqualTo(431);
      assertThat(caller.isClosedByPeer()).isTrue();
    }
  }

  @Test
  void answerToHeadWithTooManyFieldsHasNoBody() throws IOException {
    try (RawHttp1 caller = caller()) {
      Answer answer = caller.write("HEAD / HTTP/1.1\r\n" + "a:\r\n".repeat(101)).read();
      assertThat(answer.status()).isEqualTo(431);
      assertThat(caller.isClosedByPeer()).isTrue();
    }
  }

  @Test
  void answerToHeadHasNoBody() throws IOException {
    try (RawHttp1 caller = caller()) {
      Answer answer = caller.write("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n").read();
      assertThat(answer.status()).isEqualTo(405);
      assertThat(answer.body()).isEmpty();
      assertThat(caller.isClosedByPeer()).isTrue();
    }
  }

  @Test
  void unauthenticatedCallerGetsOneAnswer() throws IOException {
    String wrong = request("hello").replaceFirst("Signature=[0-9a-f]{8}", "Signature=00000000");
    try (RawHttp1 caller = caller()) {
      caller.write(wrong + request("after") + wrong);
      Answer answer = caller.read();
      assertThat(answer.body()).contains("InvalidSignatureException");
      assertThat(answer.headers()).containsEntry("connection", "close");
      assertThat(caller.isClosedByPeer()).isTrue();
    }
    try (RawHttp1 caller = caller()) {
      caller.write(request("before") + wrong + request("after"));
      assertThat(caller.read().status()).isEqualTo(200);
      assertThat(caller.read().body()).contains("InvalidSignatureException");
      assertThat(caller.read().status()).isEqualTo(200);
    }
  }

  /// The caller reads the refusal, not a connection reset.
  @Test
  void refusalReachesACallerThatIsStillSending() throws IOException {
    try (RawHttp1 caller = caller()) {
      caller.write(HEAD + "Content-Length: 1000000\r\n\r\n");
      for (int i = 0; i < 10; i++) {
        caller.write(new byte[100_000]);
      }
      assertThat(caller.read().status()).isEqualTo(413);
      assertThat(caller.isClosedByPeer()).isTrue();
    }
  }

  @Test
  void randomBytesAreRefusedAndTheConnectionClosed() throws IOException {
    var random = new Random(7);
    for (int i = 0; i < 50; i++) {
      byte[] noise = new byte[1 + random.nextInt(2000)];
      random.nextBytes(noise);
      noise[noise.length - 1] = '\n';
      try (RawHttp1 caller = caller()) {
        assertThat(caller.write(noise).read().status()).isEqualTo(400);
        assertThat(caller.isClosedByPeer()).isTrue();
      }
    }
  }

  @Test
  void disconnectDuringARequestReleasesItsMemory() throws IOException {
    String request = request("hello");
    for (int length = 1; length < request.length(); length += 40) {
      try (RawHttp1 caller = caller()) {
        caller.write(request.substring(0, length));
      }
    }
    try (RawHttp1 caller = caller()) {
      caller.write(request.repeat(20));
    }
  }
}

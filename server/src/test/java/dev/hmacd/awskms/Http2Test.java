package dev.hmacd.awskms;

import static dev.hmacd.testing.RawHttp2.CONTINUATION;
import static dev.hmacd.testing.RawHttp2.DATA;
import static dev.hmacd.testing.RawHttp2.END_HEADERS;
import static dev.hmacd.testing.RawHttp2.END_STREAM;
import static dev.hmacd.testing.RawHttp2.HEADERS;
import static dev.hmacd.testing.RawHttp2.RST_STREAM;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.params.provider.Arguments.argumentSet;

import dev.hmacd.testing.Eventually;
import dev.hmacd.testing.LoopbackDaemon;
import dev.hmacd.testing.RawHttp2;
import dev.hmacd.testing.RawHttp2.End;
import dev.hmacd.testing.SoftHsm;
import dev.hmacd.token.FaultyToken;
import io.netty.handler.codec.http2.Http2Error;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/// HTTP/2 with prior knowledge, on the port that HTTP/1.1 has too.
@Tag("slow")
final class Http2Test {
  private static final FaultyToken token = new FaultyToken(SoftHsm.shared().token());
  private static final LoopbackDaemon daemon =
      LoopbackDaemon.on(SoftHsm.shared())
          .awsKms()
          .awsLimit("request_timeout: 1s")
          .awsLimit("max_requests_per_connection: 8")
          .allowingUserAll("admin")
          .wrapping(_ -> token)
          .token("probe_interval: 1h")
          .token("lanes: 1");
  private static AwsCaller admin;
  private static String key = "";

  @BeforeAll
  static void start() throws IOException {
    daemon.start();
    admin = new AwsCaller(daemon, "admin");
    key = admin.createKey("HMAC_256");
  }

  @AfterAll
  static void stop() throws IOException {
    admin.close();
    daemon.close();
  }

  @AfterEach
  void callersAreServedAndNothingIsHeld() throws IOException {
    assertThat(admin.call("GenerateMac", mac()).status()).isEqualTo(200);
    Eventually.holds(
        "nothing is held",
        () ->
            daemon.metric("hmacd_aws_kms_requests") == 0
                && daemon.metric("hmacd_aws_kms_buffered_bytes") == 0);
  }

  private static String mac() {
    return "{\"KeyId\":\"%s\",\"Message\":\"aGVsbG8=\",\"MacAlgorithm\":\"HMAC_SHA_256\"}"
        .formatted(key);
  }

  private static RawHttp2 caller() throws IOException {
    return new RawHttp2(new Socket(InetAddress.getLoopbackAddress(), daemon.awsPort())).preface();
  }

  /// A request's fields as HTTP/2 has them.
  private static byte[] fields(Request request, String... more) {
    var block = new ByteArrayOutputStream();
    block.writeBytes(RawHttp2.headers(":method", request.method(), ":scheme", "http"));
    block.writeBytes(RawHttp2.headers(":path", request.path()));
    block.writeBytes(RawHttp2.headers(":authority", request.headers().only("host").orElseThrow()));
    request
        .headers()
        .forEach(
            (name, value) -> {
              if (!name.equals("host")) {
                block.writeBytes(RawHttp2.headers(name, value));
              }
            });
    block.writeBytes(RawHttp2.headers(more));
    return block.toByteArray();
  }

  private static RawHttp2 send(RawHttp2 caller, int stream, Request request) throws IOException {
    return caller.frame(HEADERS, END_HEADERS, stream, fields(request)).data(stream, request.body());
  }

  @Test
  void requestsOfOneConnectionAreAnsweredEachOnItsStream() throws IOException {
    String expected = admin.call("GenerateMac", mac()).body();
    try (RawHttp2 caller = caller()) {
      for (int stream = 1; stream < 200; stream += 2) {
        send(caller, stream, admin.signed("GenerateMac", mac()));
        assertThat(caller.end(stream)).isEqualTo(new End.Http("200"));
        assertThat(caller.body()).isEqualTo(expected);
        assertThat(caller.received())
            .containsOnlyKeys(
                ":status", "content-type", "content-length", "date", "x-amzn-requestid")
            .containsEntry("content-type", "application/x-amz-json-1.1");
      }
    }
  }

  @Test
  void operationWithoutOutputHasAnEmptyBody() throws IOException {
    try (RawHttp2 caller = caller()) {
      send(
          caller,
          1,
          admin.signed("DisableKey", "{\"KeyId\":\"" + admin.createKey("HMAC_224") + "\"}"));
      assertThat(caller.end(1)).isEqualTo(new End.Http("200"));
      assertThat(caller.body()).isEmpty();
    }
  }

  @Test
  void changedRequestIsRefused() throws IOException {
    try (RawHttp2 caller = caller()) {
      Request good = admin.signed("GenerateMac", mac());
      byte[] body = good.body().clone();
      body[body.length - 3] ^= 1;
      caller.frame(HEADERS, END_HEADERS, 1, fields(good)).data(1, body);
      assertThat(caller.end(1)).isEqualTo(new End.Http("400"));
      assertThat(caller.body()).startsWith("{\"__type\":\"InvalidSignatureException\"");
      caller.frame(HEADERS, END_HEADERS, 3, fields(good, "x-amz-foo", "1")).data(3, good.body());
      assertThat(caller.end(3)).isEqualTo(new End.Http("400"));
      send(caller, 5, good);
      assertThat(caller.end(5)).isEqualTo(new End.Http("200"));
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
  void whatIsNotServedIsRefusedPrecisely(String status, String[] fields) throws IOException {
    try (RawHttp2 caller = caller()) {
      var block = new ByteArrayOutputStream();
      block.writeBytes(RawHttp2.headers(fields[0], fields[1], ":scheme", "http"));
      for (int i = 2; i < fields.length; i += 2) {
        block.writeBytes(RawHttp2.headers(fields[i], fields[i + 1]));
      }
      caller.frame(HEADERS, END_HEADERS | END_STREAM, 1, block.toByteArray());
      assertThat(caller.end(1)).isEqualTo(new End.Http(status));
      send(caller, 3, admin.signed("GenerateMac", mac()));
      assertThat(caller.end(3)).isEqualTo(new End.Http("200"));
    }
  }

  @Test
  void bodyThatIsTooLongOrHasFieldsAfterItIsRefused() throws IOException {
    try (RawHttp2 caller = caller()) {
      Request good = admin.signed("GenerateMac", mac());
      caller.frame(HEADERS, END_HEADERS, 1, fields(good));
      for (int i = 0; i < 17; i++) {
        caller.frame(DATA, 0, 1, new byte[16384]);
      }
      assertThat(caller.end(1)).isEqualTo(new End.Http("413"));
      caller
          .frame(HEADERS, END_HEADERS, 3, fields(good))
          .frame(DATA, 0, 3, good.body())
          .frame(HEADERS, END_HEADERS | END_STREAM, 3, RawHttp2.headers("x-amz-target", "a"));
      assertThat(caller.end(3)).isEqualTo(new End.Http("400"));
      assertThat(caller.body()).contains("BadRequestException");
    }
  }

  @Test
  void fieldsThatAreTooLongOrTooManyAreRefused() throws IOException {
    Request good = admin.signed("GenerateMac", mac());
    try (RawHttp2 caller = caller()) {
      String[] many = new String[202];
      java.util.Arrays.fill(many, "x");
      caller.frame(HEADERS, END_HEADERS | END_STREAM, 1, fields(good, many));
      assertThat(caller.end(1)).isEqualTo(new End.Http("431"));
      caller.frame(HEADERS, END_HEADERS | END_STREAM, 3, fields(good, "x-a", "x".repeat(16_000)));
      assertThat(caller.end(3)).isIn(new End.Http("431"), new End.Reset(Http2Error.PROTOCOL_ERROR));
    }
  }

  @Test
  void requestThatDoesNotComeWholeInTimeIsRefused() throws IOException {
    try (RawHttp2 caller = caller()) {
      Request good = admin.signed("GenerateMac", mac());
      caller.frame(HEADERS, END_HEADERS, 1, fields(good)).frame(DATA, 0, 1, new byte[] {1});
      assertThat(caller.end(1)).isEqualTo(new End.Http("408"));
      caller.frame(HEADERS, END_HEADERS, 3, fields(good));
      assertThat(caller.end(3)).isEqualTo(new End.Http("408"));
      send(caller, 5, admin.signed("GenerateMac", mac()));
      assertThat(caller.end(5)).isEqualTo(new End.Http("200"));
    }
  }

  @Test
  void moreStreamsThanAllowedAreRefusedAndTheOthersAnswered() throws Exception {
    try (RawHttp2 caller = caller()) {
      try (var gate = token.blocking(FaultyToken.Call.SIGN)) {
        for (int i = 0; i < 9; i++) {
          send(caller, 1 + 2 * i, admin.signed("GenerateMac", mac()));
        }
        gate.awaitEntered();
        assertThat(caller.end(17)).isEqualTo(new End.Reset(Http2Error.REFUSED_STREAM));
      }
      assertThat(caller.end(15)).isEqualTo(new End.Http("200"));
    }
  }

  @Test
  void streamsThatAreResetLeaveNothing() throws Exception {
    List<Integer> streams = new ArrayList<>();
    try (RawHttp2 caller = caller()) {
      try (var gate = token.blocking(FaultyToken.Call.SIGN)) {
        for (int i = 0; i < 100; i++) {
          int stream = 1 + 2 * i;
          streams.add(stream);
          send(caller, stream, admin.signed("GenerateMac", mac()));
          caller.frame(RST_STREAM, 0, stream, 0, 0, 0, 8);
        }
        gate.awaitEntered();
      }
      send(caller, 1001, admin.signed("GenerateMac", mac()));
      assertThat(caller.end(1001)).isEqualTo(new End.Http("200"));
    }
    assertThat(streams).hasSize(100);
  }

  @Test
  void flightOfResetsEndsTheConnection() throws Exception {
    try (RawHttp2 caller = caller()) {
      Request good = admin.signed("GenerateMac", mac());
      for (int i = 0; i < 2000; i++) {
        int stream = 1 + 2 * i;
        try {
          caller.frame(HEADERS, END_HEADERS, stream, fields(good));
          caller.frame(RST_STREAM, 0, stream, 0, 0, 0, 8);
        } catch (IOException e) {
          break; // The connection has ended.
        }
      }
      assertThat(caller.isClosedByPeer()).isTrue();
    }
  }

  @Test
  void flightOfContinuationsEndsTheConnection() throws Exception {
    try (RawHttp2 caller = caller()) {
      caller.frame(HEADERS, 0, 1, RawHttp2.headers(":method", "POST"));
      for (int i = 0; i < 100_000; i++) {
        try {
          caller.frame(CONTINUATION, 0, 1, RawHttp2.headers("x-a", "x".repeat(100)));
        } catch (IOException e) {
          break; // The connection has ended.
        }
      }
      assertThat(caller.isClosedByPeer()).isTrue();
    }
  }

  @Test
  void callerWhoLeavesInTheMiddleLeavesNothing() throws Exception {
    try (var gate = token.blocking(FaultyToken.Call.SIGN)) {
      try (RawHttp2 caller = caller()) {
        for (int i = 0; i < 5; i++) {
          send(caller, 1 + 2 * i, admin.signed("GenerateMac", mac()));
        }
        gate.awaitEntered();
        caller
            .frame(HEADERS, END_HEADERS, 21, fields(admin.signed("GenerateMac", mac())))
            .frame(DATA, 0, 21, new byte[1000]);
        Eventually.holds("all came", () -> daemon.metric("hmacd_aws_kms_requests") == 5);
      }
      Eventually.holds("all left", () -> daemon.metric("hmacd_aws_kms_requests") == 0);
    }
  }
}

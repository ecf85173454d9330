package dev.hmacd.http;

import static dev.hmacd.testing.AwsCaller.http2Headers;
import static dev.hmacd.testing.AwsCaller.send;
import static dev.hmacd.testing.RawHttp2.DATA;
import static dev.hmacd.testing.RawHttp2.END_HEADERS;
import static dev.hmacd.testing.RawHttp2.END_STREAM;
import static dev.hmacd.testing.RawHttp2.HEADERS;
import static dev.hmacd.testing.RawHttp2.SETTINGS;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.params.provider.Arguments.argumentSet;

import dev.hmacd.testing.AwsCaller;
import dev.hmacd.testing.Eventually;
import dev.hmacd.testing.LoopbackDaemon;
import dev.hmacd.testing.RawHttp2;
import dev.hmacd.testing.RawHttp2.End;
import dev.hmacd.testing.SoftHsm;
import io.netty.handler.codec.http2.Http2Error;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.SocketException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/// Unfinished requests and unread answers of HTTP/2 end at `request_timeout`.
@Tag("slow")
final class Http2TimeoutTest {
  private static final LoopbackDaemon daemon =
      LoopbackDaemon.on(SoftHsm.shared())
          .awsKms()
          .awsLimit("request_timeout: 3s")
          .awsLimit("connection_idle: 10m")
          .awsLimit("max_requests_per_connection: 8")
          .allowingUserAll("admin");
  private static AwsCaller admin;
  private static String key = "";

  @BeforeAll
  static void start() throws IOException {
    daemon.start();
    admin = new AwsCaller(daemon, "admin");
    try (var caller = new AwsCaller(daemon, "admin")) {
      key = caller.createKey("HMAC_256");
    }
  }

  @AfterAll
  static void stop() throws IOException {
    admin.close();
    daemon.close();
  }

  @Test
  void unfinishedRequestIsAnsweredAfterTheTimeout() throws IOException {
    try (RawHttp2 caller = admin.authenticatedHttp2(key)) {
      Request good = admin.signed("GenerateMac", AwsCaller.macOf(key));
      caller.frame(HEADERS, END_HEADERS, 3, http2Headers(good)).frame(DATA, 0, 3, new byte[] {1});
      assertThat(caller.end(3)).isEqualTo(new End.Http("408"));
      caller.frame(HEADERS, END_HEADERS, 5, http2Headers(good));
      assertThat(caller.end(5)).isEqualTo(new End.Http("408"));
      send(caller, 7, admin.signed("GenerateMac", AwsCaller.macOf(key)));
      assertThat(caller.end(7)).isEqualTo(new End.Http("200"));
    }
  }

  @Test
  void manyUnfinishedStreamsEndAfterTheTimeout() throws Exception {
    try (RawHttp2 caller = admin.authenticatedHttp2(key)) {
      for (int stream = 3; stream < 18; stream += 2) {
        caller
            .frame(
                HEADERS,
                END_HEADERS,
                stream,
                http2Headers(admin.signed("GenerateMac", AwsCaller.macOf(key))))
            .frame(DATA, 0, stream, new byte[100]);
      }
      caller.frame(
          HEADERS, END_HEADERS | END_STREAM, 19, http2Headers(admin.signed("GenerateMac", "")));
      assertThat(caller.end(19)).isEqualTo(new End.Reset(Http2Error.REFUSED_STREAM));
      assertThat(caller.end(17)).isEqualTo(new End.Http("408"));
    }
  }

  /// The daemon does not keep an answer for longer than the timeout if the stream's window is 0.
  @Test
  void unreadAnswerIsResetAfterTheTimeout() throws Exception {
    try (RawHttp2 caller = RawHttp2.to(daemon.awsPort())) {
      // SETTINGS_INITIAL_WINDOW_SIZE 0.
      caller.frame(SETTINGS, 0, 0, 0, 4, 0, 0, 0, 0);
      send(caller, 1, admin.signed("GenerateMac", AwsCaller.macOf(key)));
      assertThat(caller.end(1)).isEqualTo(new End.Reset(Http2Error.CANCEL));
      assertThat(caller.received()).containsEntry(":status", "200");
      assertThat(caller.body()).isEmpty();
    }
  }

  /// The socket buffers are full of answers, so the daemon does not read further requests.
  @Test
  void connectionOfACallerThatDoesNotReadIsClosed() throws Exception {
    Request good = admin.signed("DescribeKey", "{\"KeyId\":\"" + key + "\"}");
    double others = daemon.metric("hmacd_aws_kms_connections");
    try (RawHttp2 caller = admin.authenticatedHttp2(key)) {
      caller.frame(SETTINGS, 0, 0, 0, 4, 0x7f, 0xff, 0xff, 0xff);
      caller.frame(RawHttp2.WINDOW_UPDATE, 0, 0, 0x3f, 0xff, 0, 0);
      var sending =
          new FutureTask<>(
              () -> {
                for (int stream = 3; ; stream += 2) {
                  send(caller, stream, good);
                }
              });
      Thread.ofPlatform().start(sending);
      assertThatThrownBy(() -> sending.get(Eventually.LIMIT.toSeconds(), TimeUnit.SECONDS))
          .hasCauseInstanceOf(SocketException.class);
    }
    Eventually.holds(
        "the connection is closed", () -> daemon.metric("hmacd_aws_kms_connections") <= others);
  }

  private static boolean othersAreServed() {
    try (RawHttp2 other = admin.authenticatedHttp2(key)) {
      return other.body().contains("Mac");
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  static Stream<Arguments> floods() {
    return Stream.of(argumentSet("pings", RawHttp2.PING, 8), argumentSet("settings", SETTINGS, 0));
  }

  /// The daemon acknowledges each of these frames, and the client does not read the
  /// acknowledgements.
  @ParameterizedTest
  @MethodSource("floods")
  void floodOfConnectionFramesDoesNotBlockOtherCallers(int type, int length) throws Exception {
    try (RawHttp2 greedy = admin.authenticatedHttp2(key)) {
      var sending =
          new FutureTask<>(
              () -> {
                while (true) {
                  greedy.frame(type, 0, 0, new byte[length]);
                }
              });
      Thread.ofPlatform().start(sending);
      Eventually.holds(
          "the flood ends and other callers are served",
          () -> othersAreServed() && sending.isDone());
      assertThatThrownBy(sending::get).hasCauseInstanceOf(SocketException.class);
    }
  }
}

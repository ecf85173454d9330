package dev.hmacd.awskms;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.hmacd.http.Request;
import dev.hmacd.sigv4.SdkSigner;
import dev.hmacd.testing.AwsCaller;
import dev.hmacd.testing.Eventually;
import dev.hmacd.testing.LogWatch;
import dev.hmacd.testing.LoopbackDaemon;
import dev.hmacd.testing.RawHttp1;
import dev.hmacd.testing.SoftHsm;
import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// The AWS edge over TLS, with a client that selects HTTP/1.1 or HTTP/2 by ALPN.
@Tag("slow")
final class AwsTlsTest {
  /// Longer than the default of Netty's TLS handler, which is 10 s.
  private static final Duration HANDSHAKE_TIMEOUT = Duration.ofSeconds(20);

  private static final LoopbackDaemon daemon =
      LoopbackDaemon.on(SoftHsm.shared())
          .awsKmsWithTls()
          .awsLimit("handshake_timeout: " + HANDSHAKE_TIMEOUT.toSeconds() + "s")
          .awsLimit("connection_idle: 1h")
          .allowingUserAll("admin");

  private static final List<String> NOT_A_HANDSHAKE =
      List.of(
          "\26",
          "\26\3\1\2\0\1",
          "POST / HTTP/1.1\r\nHost: a\r\n\r\n",
          "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

  private static LogWatch log;

  @BeforeAll
  static void start() {
    daemon.start();
    log = LogWatch.start();
  }

  @AfterAll
  static void stop() {
    daemon.close();
    log.close();
    log.assertQuietExcept("TLS handshakes failed");
  }

  private static Request signed(String operation, String json) {
    LoopbackDaemon.AccessKey key = daemon.accessKey("admin");
    return new SdkSigner(key.id(), key.secret(), Instant.now())
        .sign(
            URI.create("https://localhost:" + daemon.awsPort() + "/"),
            SdkSigner.headers(AwsCaller.headers(operation)),
            json.getBytes(UTF_8));
  }

  private static HttpResponse<String> send(HttpClient client, String operation, String json)
      throws IOException, InterruptedException {
    Request request = signed(operation, json);
    var builder =
        HttpRequest.newBuilder(URI.create("https://localhost:" + daemon.awsPort() + "/"))
            .timeout(Eventually.LIMIT)
            .POST(BodyPublishers.ofByteArray(request.body()));
    request
        .headers()
        .forEach(
            (name, value) -> {
              if (!name.equals("host")) {
                builder.setHeader(name, value);
              }
            });
    return client.send(builder.build(), BodyHandlers.ofString());
  }

  @ParameterizedTest
  @EnumSource(HttpClient.Version.class)
  void bothVersionsOfHttpAreServed(HttpClient.Version version)
      throws IOException, InterruptedException {
    try (var client =
        HttpClient.newBuilder().version(version).sslContext(daemon.ca().context(null)).build()) {
      HttpResponse<String> created =
          send(
              client,
              "CreateKey",
              "{\"KeySpec\":\"HMAC_256\",\"KeyUsage\":\"GENERATE_VERIFY_MAC\"}");
      assertThat(created.statusCode()).as(created.body()).isEqualTo(200);
      assertThat(created.version()).isEqualTo(version);
      String key = created.body().replaceFirst("(?s).*\"KeyId\":\"([^\"]+)\".*", "$1");
      String mac = AwsCaller.macOf(key);
      HttpResponse<String> made = send(client, "GenerateMac", mac);
      assertThat(made.statusCode()).isEqualTo(200);
      assertThat(send(client, "GenerateMac", mac).body()).isEqualTo(made.body());
      HttpResponse<String> refused = send(client, "GenerateMac", "{}");
      assertThat(refused.statusCode()).isEqualTo(400);
      assertThat(refused.body()).startsWith("{\"__type\":\"ValidationException\"");
      HttpResponse<String> disabled = send(client, "DisableKey", "{\"KeyId\":\"" + key + "\"}");
      assertThat(disabled.statusCode()).isEqualTo(200);
      assertThat(disabled.body()).isEmpty();
    }
  }

  @Test
  void callerWithoutAlpnIsServedOverHttp1() throws IOException {
    Request request = signed("ListKeys", "{}");
    var socket =
        daemon.ca().context(null).getSocketFactory().createSocket("localhost", daemon.awsPort());
    try (var caller = new RawHttp1(socket)) {
      assertThat(caller.write(AwsCaller.bytes(request)).read().status()).isEqualTo(200);
      assertThat(caller.write("POST / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n").read().status())
          .isEqualTo(400);
      assertThat(caller.isClosedByPeer()).isTrue();
    }
  }

  /// The connections are concurrent: some of them last until `handshake_timeout`. Only this timeout
  /// ends a connection before its first byte.
  @Test
  void connectionsWithoutATlsHandshakeAreClosed() throws IOException {
    List<RawHttp1> callers = new ArrayList<>();
    long startNanos = System.nanoTime();
    try (var withoutByte = RawHttp1.to(daemon.awsPort())) {
      for (String bytes : NOT_A_HANDSHAKE) {
        var caller = new RawHttp1(new Socket(InetAddress.getLoopbackAddress(), daemon.awsPort()));
        callers.add(caller.write(bytes));
      }
      assertThat(withoutByte.isEventuallyClosedByPeer()).isTrue();
      assertThat(Duration.ofNanos(System.nanoTime() - startNanos))
          .isGreaterThanOrEqualTo(HANDSHAKE_TIMEOUT);
      for (int i = 0; i < NOT_A_HANDSHAKE.size(); i++) {
        // The daemon may send an alert first.
        assertThat(callers.get(i).isEventuallyClosedByPeer()).as(NOT_A_HANDSHAKE.get(i)).isTrue();
      }
    } finally {
      for (RawHttp1 caller : callers) {
        caller.close();
      }
    }
  }
}

package dev.hmacd.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// The first failed check of each way to a daemon.
@Timeout(120)
class DoctorTest {
  private static final TestPki CLIENT = TestPki.client();

  private final Path folder;
  private final FakeDaemon daemon = FakeDaemon.overTls(TestPki.daemon("localhost"));

  DoctorTest(@TempDir Path folder) {
    this.folder = folder;
  }

  @AfterEach
  void close() {
    daemon.close();
  }

  private static HmacdClientBuilder builder(String... targets) {
    return HmacdClient.builder()
        .target(targets)
        .tls(CLIENT.ca(), CLIENT.cert(), CLIENT.key())
        .deadlineAfter(Duration.ofMinutes(1));
  }

  private static String line(HmacdClientBuilder builder) {
    try (HmacdClient client = builder.build()) {
      return client.doctor().get(0);
    }
  }

  private static String line(String target) {
    return line(builder(target));
  }

  @Test
  void eachTargetHasALine() throws IOException {
    Path socket = folder.resolve("hmacd.sock");
    String absent = nobody();
    try (var local = FakeDaemon.overUnixSocket(socket);
        var client = builder(daemon.target(), absent, local.target()).build()) {
      assertThat(client.doctor())
          .satisfiesExactly(
              line ->
                  assertThat(line)
                      .startsWith("ok: " + daemon.target() + ", SERVING, certificate ends ")
                      .endsWith("Z, 1 addresses"),
              line ->
                  assertThat(line)
                      .startsWith("failed: " + absent + ", connection refused: 127.0.0.1: "),
              line -> assertThat(line).isEqualTo("ok: " + local.target() + ", SERVING"));
      assertThat(daemon.calls()).containsExactly("Check");
    }
  }

  @Test
  void nameIsNotFound() {
    assertThat(line("hmacd.invalid:1"))
        .isEqualTo("failed: hmacd.invalid:1, name not found: hmacd.invalid");
  }

  @Test
  void socketIsAbsent() {
    String target = "unix:" + folder.resolve("none.sock");
    assertThat(line(HmacdClient.builder().target(target)))
        .startsWith("failed: " + target + ", connection refused: ");
  }

  @Test
  void serverDoesNotSpeakTls() throws IOException {
    try (var http = RawServer.overTcp(RawServer.BAD_REQUEST);
        var silent = new ServerSocket(0, 50, InetAddress.getLoopbackAddress())) {
      // The connection of the check of the socket comes first: it sends nothing, and ends.
      assertThat(line(http.target())).contains(", no answer to TLS: TLS_FAILED: ");
      assertThat(
              line(
                  builder("127.0.0.1:" + silent.getLocalPort())
                      .deadlineAfter(Duration.ofSeconds(1))))
          .contains(", no answer to TLS: DEADLINE_EXCEEDED: ");
    }
  }

  @Test
  void daemonIsNotTrustedOrHasAnotherName() {
    TestPki stranger = TestPki.stranger();
    assertThat(line(builder(daemon.target()).tls(stranger.ca(), CLIENT.cert(), CLIENT.key())))
        .contains(", daemon not trusted: TLS_FAILED: ");
    try (var elsewhere = FakeDaemon.overTls(TestPki.daemon("elsewhere.example"))) {
      assertThat(line(elsewhere.target())).contains(", daemon's name: TLS_FAILED: ");
    }
  }

  @Test
  void clientCertificateIsRefused() {
    TestPki stranger = TestPki.stranger();
    String line;
    do { // A reset of the connection can discard the alert.
      line = line(builder(daemon.target()).tls(CLIENT.ca(), stranger.cert(), stranger.key()));
    } while (line.contains("CONNECTION_FAILED"));
    assertThat(line).contains(", client certificate refused: TLS_FAILED: ");
  }

  @Test
  void daemonDoesNotServe() {
    daemon.health(2);
    assertThat(line(daemon.target()))
        .isEqualTo("failed: " + daemon.target() + ", health status: NOT_SERVING");
  }

  @Test
  void filesAreNotGood() throws IOException {
    Path key = Files.copy(CLIENT.key(), folder.resolve("key.pem"));
    try (var client = builder(daemon.target()).tls(CLIENT.ca(), CLIENT.cert(), key).build()) {
      Files.delete(key);
      assertThat(client.doctor().get(0))
          .isEqualTo("failed: " + daemon.target() + ", files: cannot read " + key);
    }
    assertThat(daemon.calls()).isEmpty();
  }

  @Test
  void closedClientHasNoDoctor() {
    HmacdClient client = builder(daemon.target()).build();
    client.close();
    assertThatExceptionOfType(ClosedException.class).isThrownBy(client::doctor);
  }

  /// An address without a listener.
  private static String nobody() throws IOException {
    try (var socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      return "127.0.0.1:" + socket.getLocalPort();
    }
  }
}

package dev.hmacd.rpc;

import static org.assertj.core.api.Assertions.assertThat;

import dev.hmacd.testing.Caller;
import dev.hmacd.testing.Eventually;
import dev.hmacd.testing.Footprint;
import dev.hmacd.testing.KnownMac;
import dev.hmacd.testing.LoopbackDaemon;
import dev.hmacd.testing.RawHttp1;
import dev.hmacd.testing.RawHttp2;
import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.util.ArrayList;
import java.util.List;
import javax.net.ssl.SSLSocket;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/// Limits on connections and on unauthenticated connections. At the limit the daemon evicts the
/// oldest unauthenticated connection. No handshake timeout ends a connection in these tests.
final class ConnectionLimitTest {
  private static final int MAX_CONNECTIONS = 20;
  private static final int MAX_HANDSHAKES = 5;

  private static final LoopbackDaemon daemon =
      LoopbackDaemon.withAdmin()
          .limit("handshake_timeout: 1h")
          .limit("max_connections: " + MAX_CONNECTIONS)
          .limit("max_handshakes: " + MAX_HANDSHAKES);
  private static Caller admin;
  private static KnownMac mac;
  private static Footprint before;

  @BeforeAll
  static void start() {
    daemon.start();
    admin = daemon.as("admin");
    mac = KnownMac.create(admin);
    before = Footprint.of(daemon);
  }

  @AfterAll
  static void stop() {
    daemon.close();
  }

  @AfterEach
  void callersAreServedAndMemoryIsReleased() {
    mac.assertServed(admin);
    before.awaitRestored(daemon);
  }

  private static boolean isClosed(Socket socket) throws IOException {
    return new RawHttp1(socket).isClosedByPeer();
  }

  @Test
  void connectionsAboveTheLimitAreClosedAndFreePlacesReused() throws IOException {
    double refused = daemon.metric("hmacd_connections_refused_total");
    List<RawHttp2> open = new ArrayList<>();
    try {
      for (int i = 1; i < MAX_CONNECTIONS; i++) { // The admin has one connection already.
        open.add(served());
      }
      // The principal has all places. The daemon knows the principal after the handshake.
      for (int i = 0; i < 10; i++) {
        assertThat(isRefused()).isTrue();
      }
      Eventually.holds(
          "the connections are within the limit",
          () -> daemon.metric("hmacd_connections") == MAX_CONNECTIONS);
      assertThat(daemon.metric("hmacd_connections_refused_total")).isEqualTo(refused + 10);
      open.removeLast().close();
      Eventually.holds(
          "one place is free", () -> daemon.metric("hmacd_connections") < MAX_CONNECTIONS);
      open.add(served());
    } finally {
      for (RawHttp2 each : open) {
        each.close();
      }
    }
  }

  private static boolean isRefused() throws IOException {
    return mac.isDisconnected(() -> daemon.raw("admin").preface());
  }

  private static RawHttp2 served() throws IOException {
    RawHttp2 caller = daemon.raw("admin").preface();
    mac.assertServed(caller, 1);
    return caller;
  }

  @Test
  void silentConnectionsAreEvictedInFavourOfOthers() throws IOException {
    List<Socket> silent = new ArrayList<>();
    try (RawHttp2 early = served()) {
      for (int i = 0; i < 10 * MAX_HANDSHAKES; i++) {
        silent.add(daemon.tcp());
      }
      try (RawHttp2 late = served()) {
        Eventually.holds(
            "the oldest connections are closed",
            () -> daemon.metric("hmacd_connections") <= 3 + MAX_HANDSHAKES);
        for (Socket oldest : silent.subList(0, 9 * MAX_HANDSHAKES)) {
          assertThat(isClosed(oldest)).isTrue();
        }
        mac.assertServed(early, 3);
        mac.assertServed(late, 3);
      }
    } finally {
      for (Socket each : silent) {
        each.close();
      }
    }
  }

  @Test
  void slowCallerIsNotEvictedForSilentConnectionsOfAnotherAddress() throws IOException {
    List<Socket> silent = new ArrayList<>();
    try (Socket slow = daemon.tcp()) {
      for (int i = 0; i < 10 * MAX_HANDSHAKES; i++) {
        silent.add(
            new Socket(
                InetAddress.getLoopbackAddress(),
                daemon.port(),
                InetAddress.getByName("127.0.0.2"),
                0));
      }
      for (Socket oldest : silent.subList(0, 9 * MAX_HANDSHAKES)) {
        assertThat(isClosed(oldest)).isTrue();
      }
      SSLSocket tls =
          (SSLSocket)
              daemon
                  .ca()
                  .context(daemon.ca().client("admin"))
                  .getSocketFactory()
                  .createSocket(slow, "127.0.0.1", daemon.port(), true);
      try (RawHttp2 caller = new RawHttp2(tls).preface()) {
        mac.assertServed(caller, 1);
      }
    } finally {
      for (Socket each : silent) {
        each.close();
      }
    }
  }
}

package dev.hmacd.rpc;

import static dev.hmacd.testing.RawHttp2.message;
import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import dev.hmacd.testing.Caller;
import dev.hmacd.testing.Eventually;
import dev.hmacd.testing.Footprint;
import dev.hmacd.testing.LoopbackDaemon;
import dev.hmacd.testing.RawHttp1;
import dev.hmacd.testing.RawHttp2;
import dev.hmacd.testing.RawHttp2.End;
import dev.hmacd.v1.GenerateMacRequest;
import dev.hmacd.v1.KeySpec;
import dev.hmacd.v1.MacAlgorithm;
import io.grpc.Status.Code;
import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.net.SocketException;
import java.util.ArrayList;
import java.util.List;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLSocket;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/// Bounds on connections and on unauthenticated connections, of which the oldest are evicted.
/// Handshakes have no timeout here, so every closed connection was evicted.
final class ConnectionLimitTest {
  private static final String PATH = "/hmacd.v1.MacService/GenerateMac";
  private static final int MAX_CONNECTIONS = 20;
  private static final int MAX_HANDSHAKES = 5;

  private static final LoopbackDaemon daemon =
      LoopbackDaemon.withAdmin()
          .limit("handshake_timeout: 1h")
          .limit("max_connections: " + MAX_CONNECTIONS)
          .limit("max_handshakes: " + MAX_HANDSHAKES);
  private static Caller admin;
  private static byte[] mac = {};
  private static byte[] good = {};
  private static Footprint before;

  @BeforeAll
  static void start() {
    daemon.start();
    admin = daemon.as("admin");
    String key = admin.createKey(KeySpec.KEY_SPEC_HMAC_256);
    admin.createAlias("alias/there", key);
    mac = admin.generateMac(key, "hello");
    good =
        GenerateMacRequest.newBuilder()
            .setKeyId(key)
            .setMessage(ByteString.copyFromUtf8("hello"))
            .setMacAlgorithm(MacAlgorithm.MAC_ALGORITHM_HMAC_SHA_256)
            .build()
            .toByteArray();
    before = Footprint.of(daemon);
  }

  @AfterAll
  static void stop() {
    daemon.close();
  }

  @AfterEach
  void callersAreServedAndMemoryIsReleased() {
    assertThat(admin.generateMac("alias/there", "hello")).isEqualTo(mac);
    before.awaitAgain(daemon);
  }

  private static Socket tcp() throws IOException {
    return new Socket(InetAddress.getLoopbackAddress(), daemon.port());
  }

  private static boolean isClosed(Socket socket) throws IOException {
    return new RawHttp1(socket).isClosedByPeer();
  }

  @Test
  void connectionsAboveTheLimitAreClosedAndFreePlacesAreReused() throws IOException {
    double refused = daemon.metric("hmacd_connections_refused_total");
    List<RawHttp2> open = new ArrayList<>();
    try {
      for (int i = 1; i < MAX_CONNECTIONS; i++) { // One is the caller's who is there already.
        open.add(served());
      }
      // Of the principal that has all places: it is known when the handshake is over.
      for (int i = 0; i < 10; i++) {
        assertThat(isRefused()).isTrue();
      }
      Eventually.holds(
          "no more are open than may be",
          () -> daemon.metric("hmacd_connections") == MAX_CONNECTIONS);
      assertThat(daemon.metric("hmacd_connections_refused_total")).isEqualTo(refused + 10);
      open.removeLast().close();
      Eventually.holds(
          "there is room for one", () -> daemon.metric("hmacd_connections") < MAX_CONNECTIONS);
      open.add(served());
    } finally {
      for (RawHttp2 each : open) {
        each.close();
      }
    }
  }

  private static boolean isRefused() throws IOException {
    try (RawHttp2 caller = daemon.raw("admin").preface()) {
      caller.call(1, PATH).data(1, message(0, good));
      return caller.end(1) instanceof End.Closed;
    } catch (SSLException | SocketException e) {
      return true;
    }
  }

  private static RawHttp2 served() throws IOException {
    RawHttp2 caller = daemon.raw("admin").preface();
    caller.call(1, PATH).data(1, message(0, good));
    assertThat(caller.end(1)).isEqualTo(new End.Answered(Code.OK, "", ""));
    return caller;
  }

  @Test
  void silentConnectionsAreEvictedInFavourOfOthers() throws IOException {
    List<Socket> silent = new ArrayList<>();
    try (RawHttp2 early = served()) {
      for (int i = 0; i < 10 * MAX_HANDSHAKES; i++) {
        silent.add(tcp());
      }
      try (RawHttp2 late = served()) {
        Eventually.holds(
            "the oldest are closed",
            () -> daemon.metric("hmacd_connections") <= 3 + MAX_HANDSHAKES);
        for (Socket oldest : silent.subList(0, 9 * MAX_HANDSHAKES)) {
          assertThat(isClosed(oldest)).isTrue();
        }
        early.call(3, PATH).data(3, message(0, good));
        assertThat(early.end(3)).isEqualTo(new End.Answered(Code.OK, "", ""));
        late.call(3, PATH).data(3, message(0, good));
        assertThat(late.end(3)).isEqualTo(new End.Answered(Code.OK, "", ""));
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
    try (Socket slow = tcp()) {
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
        caller.call(1, PATH).data(1, message(0, good));
        assertThat(caller.end(1)).isEqualTo(new End.Answered(Code.OK, "", ""));
      }
    } finally {
      for (Socket each : silent) {
        each.close();
      }
    }
  }
}

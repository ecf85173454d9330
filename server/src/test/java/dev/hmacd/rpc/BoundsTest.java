package dev.hmacd.rpc;

import static dev.hmacd.testing.RawHttp2.DATA;
import static dev.hmacd.testing.RawHttp2.HEADERS;
import static dev.hmacd.testing.RawHttp2.RST_STREAM;
import static dev.hmacd.testing.RawHttp2.SETTINGS;
import static dev.hmacd.testing.RawHttp2.callHeaders;
import static dev.hmacd.testing.RawHttp2.frameBytes;
import static dev.hmacd.testing.RawHttp2.message;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.params.provider.Arguments.argumentSet;

import com.google.protobuf.ByteString;
import dev.hmacd.testing.Eventually;
import dev.hmacd.testing.LoopbackDaemon;
import dev.hmacd.testing.RawHttp2;
import dev.hmacd.testing.RawHttp2.End;
import dev.hmacd.testing.SoftHsm;
import dev.hmacd.token.FaultyToken;
import dev.hmacd.transport.MemoryBudget;
import dev.hmacd.v1.CreateKeyRequest;
import dev.hmacd.v1.DescribeKeyRequest;
import dev.hmacd.v1.GenerateMacRequest;
import dev.hmacd.v1.KeySpec;
import dev.hmacd.v1.ListKeysRequest;
import dev.hmacd.v1.MacAlgorithm;
import dev.hmacd.v1.UpdateKeyDescriptionRequest;
import io.grpc.Status.Code;
import io.netty.handler.codec.http2.Http2Error;
import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import javax.net.ssl.SSLSocket;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/// A caller without permissions uses as much memory, connections and calls as possible. Each of
/// them has a bound. The daemon serves another caller meanwhile, and releases the memory
/// afterwards.
@Tag("slow")
final class BoundsTest {
  private static final String MAC = "/hmacd.v1.MacService/GenerateMac";
  private static final String CHECK = "/grpc.health.v1.Health/Check";
  private static final String LIST = "/grpc.health.v1.Health/List";
  private static final String WATCH = "/grpc.health.v1.Health/Watch";
  private static final int MAX_CONNECTIONS = 40;
  private static final End OK = new End.Answered(Code.OK, "", "");

  /// SETTINGS_INITIAL_WINDOW_SIZE 0 (RFC 9113, section 6.5.2).
  private static final int[] NO_WINDOW = {0, 4, 0, 0, 0, 0};

  private static final LoopbackDaemon daemon =
      LoopbackDaemon.withAdmin()
          .limit("transfer_timeout: 1s")
          .limit("max_connections: " + MAX_CONNECTIONS);

  private static byte[] request = {};
  private static RawHttp2 modest;
  private static int modestCalls;

  @BeforeAll
  static void start() throws IOException {
    daemon.start();
    var admin = daemon.as("admin");
    admin.createAlias("alias/there", admin.createKey(KeySpec.KEY_SPEC_HMAC_256));
    request = request();
    modest = daemon.raw("admin").preface();
  }

  @AfterAll
  static void stop() throws IOException {
    modest.close();
    daemon.close();
  }

  @AfterEach
  void otherCallersAreServedAndMemoryIsReleased() throws IOException {
    assertModestIsServed();
    Eventually.holds(
        "only the connections of the modest caller are open",
        () -> daemon.metric("hmacd_connections") <= 2);
    Eventually.holds(
        "the memory is released",
        () -> daemon.metric("hmacd_connection_memory_bytes") <= 2 * (64 << 10));
  }

  private static void assertModestIsServed() throws IOException {
    int stream = 1 + 2 * modestCalls++;
    modest.call(stream, MAC).data(stream, message(0, request));
    assertThat(modest.end(stream)).isEqualTo(OK);
  }

  private static byte[] request() {
    return GenerateMacRequest.newBuilder()
        .setKeyId("alias/there")
        .setMessage(ByteString.copyFromUtf8("hello"))
        .setMacAlgorithm(MacAlgorithm.MAC_ALGORITHM_HMAC_SHA_256)
        .build()
        .toByteArray();
  }

  @Test
  void unreadAnswersAreResetAfterTheTimeout() throws IOException {
    try (RawHttp2 greedy = daemon.raw("greedy").preface().frame(SETTINGS, 0, 0, NO_WINDOW)) {
      for (int stream = 1; stream < 20; stream += 2) {
        greedy.call(stream, CHECK).data(stream, message(0));
      }
      greedy.call(21, WATCH).data(21, message(0));
      assertModestIsServed();
      assertThat(greedy.end(1)).isEqualTo(new End.Reset(Http2Error.CANCEL));
      assertThat(greedy.end(21)).isEqualTo(new End.Reset(Http2Error.CANCEL));
    }
  }

  @Test
  void unreadAnswersCountWithTheirSize() throws IOException {
    int descriptionBytes = 8000;
    int calls = 20;
    try (var patient = LoopbackDaemon.withAdmin().limit("transfer_timeout: 1h").start()) {
      var admin = patient.as("admin");
      String key = admin.createKey(KeySpec.KEY_SPEC_HMAC_256);
      var _ =
          admin
              .keys()
              .updateKeyDescription(
                  UpdateKeyDescriptionRequest.newBuilder()
                      .setKeyId(key)
                      .setDescription("d".repeat(descriptionBytes))
                      .build());
      byte[] describe = DescribeKeyRequest.newBuilder().setKeyId(key).build().toByteArray();
      try (RawHttp2 greedy = patient.raw("admin").preface().frame(SETTINGS, 0, 0, NO_WINDOW)) {
        for (int i = 0; i < calls; i++) {
          greedy
              .call(1 + 2 * i, "/hmacd.v1.KeyService/DescribeKey")
              .data(1 + 2 * i, message(0, describe));
        }
        Eventually.holds(
            "the memory of each answer is counted",
            () ->
                patient.metric("hmacd_connection_memory_bytes")
                    > (double) calls * descriptionBytes * MemoryBudget.DIRECT_WEIGHT);
      }
    }
  }

  @Test
  void refusedCallsWithoutEndStreamAreResetAfterTheTimeout() throws IOException {
    try (RawHttp2 greedy = daemon.raw("greedy").preface()) {
      greedy.call(1, "/hmacd.v1.MacService/Unknown");
      assertThat(greedy.end(1)).isInstanceOf(End.Answered.class);
      assertThat(greedy.end(1)).isEqualTo(new End.Reset(Http2Error.CANCEL));
    }
  }

  interface Unfinished {
    void write(Socket socket, RawHttp2 caller) throws IOException;
  }

  private static Arguments row(String name, Unfinished unfinished) {
    return argumentSet(name, unfinished);
  }

  static Stream<Arguments> unfinished() {
    byte[] data = frameBytes(DATA, 0, 7, new byte[16_384]);
    byte[] headers = frameBytes(HEADERS, 0, 7, callHeaders(MAC));
    return Stream.of(
        row(
            "DATA frame without its last byte",
            (_, caller) -> caller.call(7, MAC).bytes(Arrays.copyOf(data, data.length - 1))),
        row("header block without END_HEADERS", (_, caller) -> caller.bytes(headers)),
        row("truncated frame header", (_, caller) -> caller.bytes(Arrays.copyOf(headers, 5))),
        row(
            "truncated TLS record",
            (socket, _) -> socket.getOutputStream().write(new byte[] {23, 3, 3, 64, 0, 1, 2, 3})));
  }

  @ParameterizedTest
  @MethodSource("unfinished")
  void connectionWithAnUnfinishedFrameIsClosedAfterTheTimeout(Unfinished unfinished)
      throws IOException {
    try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), daemon.port())) {
      SSLSocket tls =
          (SSLSocket)
              daemon
                  .ca()
                  .context(daemon.ca().client("greedy"))
                  .getSocketFactory()
                  .createSocket(socket, "127.0.0.1", daemon.port(), true);
      try (RawHttp2 caller = new RawHttp2(tls).preface()) {
        caller.call(5, CHECK).data(5, message(0));
        assertThat(caller.end(5)).isEqualTo(OK);
        unfinished.write(socket, caller);
        assertThat(caller.isClosedByPeer()).isTrue();
      }
    }
  }

  @Test
  void principalWithTheMostConnectionsLosesOneToAnother() throws IOException {
    List<RawHttp2> greedy = new ArrayList<>();
    try {
      for (int i = 0; i < MAX_CONNECTIONS - 2; i++) {
        RawHttp2 caller = daemon.raw("greedy").preface();
        greedy.add(caller);
        caller.call(1, CHECK).data(1, message(0));
        assertThat(caller.end(1)).isEqualTo(OK);
      }
      try (RawHttp2 late = daemon.raw("late").preface()) {
        late.call(1, CHECK).data(1, message(0));
        assertThat(late.end(1)).isEqualTo(OK);
        assertThat(greedy.getFirst().isClosedByPeer()).isTrue();
        RawHttp2 youngest = greedy.getLast();
        youngest.call(3, CHECK).data(3, message(0));
        assertThat(youngest.end(3)).isEqualTo(OK);
      }
      assertModestIsServed();
    } finally {
      for (RawHttp2 each : greedy) {
        each.close();
      }
    }
  }

  @Test
  void principalWithTheMostMemoryLosesConnections() throws IOException {
    List<RawHttp2> greedy = new ArrayList<>();
    try (var small = LoopbackDaemon.withAdmin().limit("transfer_timeout: 60s").memory(10).start();
        RawHttp2 other = small.raw("admin").preface()) {
      for (int i = 0; i < 60 && small.metric("hmacd_connections_cut_for_memory_total") == 0; i++) {
        RawHttp2 caller = small.raw("greedy").preface().frame(SETTINGS, 0, 0, NO_WINDOW);
        greedy.add(caller);
        flood(caller);
      }
      Eventually.holds(
          "connections are closed for their memory",
          () -> small.metric("hmacd_connections_cut_for_memory_total") > 0);
      other.call(1, CHECK).data(1, message(0));
      assertThat(other.end(1)).isEqualTo(OK);
      for (RawHttp2 each : greedy) {
        each.close();
      }
      Eventually.holds(
          "the memory is released",
          () -> small.metric("hmacd_connection_memory_bytes") <= 2 * (64 << 10));
    }
  }

  private static void flood(RawHttp2 caller) {
    try {
      for (int stream = 1; stream < 500; stream += 2) {
        caller.call(stream, CHECK).data(stream, message(0));
      }
    } catch (IOException e) {
      // The connection was closed for its memory.
    }
  }

  @Test
  void fullQueueOfTheTokenMakesRoomForAnotherPrincipal() throws IOException {
    var token = new FaultyToken(SoftHsm.shared().token());
    try (var small =
            LoopbackDaemon.withAdmin()
                .rule("spiffe://test/greedy", "[GenerateMac]", "*")
                .token("queue: 4")
                .token("lanes: 1")
                .limit("max_call_time: 60s")
                .wrapping(_ -> token)
                .start();
        RawHttp2 greedy = small.raw("greedy").preface();
        RawHttp2 other = small.raw("admin").preface()) {
      var admin = small.as("admin");
      admin.createAlias("alias/there", admin.createKey(KeySpec.KEY_SPEC_HMAC_256));
      var gate = token.blocking(FaultyToken.Call.SIGN);
      greedy.call(1, MAC).data(1, message(0, request));
      gate.awaitEntered();
      for (int stream = 3; stream <= 11; stream += 2) {
        greedy.call(stream, MAC).data(stream, message(0, request));
      }
      assertTooManyCallsOfTheClient(greedy.end(11));
      other.call(1, MAC).data(1, message(0, request));
      assertTooManyCallsOfTheClient(greedy.end(9)); // It made room.
      gate.close();
      assertThat(other.end(1)).isEqualTo(OK);
      assertThat(greedy.end(7)).isEqualTo(OK);
      greedy.call(13, MAC).data(13, message(0, request));
      assertThat(greedy.end(13)).isEqualTo(OK);
    }
  }

  /// How a caller abandons calls that wait for the token.
  enum Abandonment {
    RESETS_STREAMS,
    RECONNECTS
  }

  /// The operations of abandoned calls stay in the token's queue, so they count for their
  /// principal.
  @ParameterizedTest
  @EnumSource
  void abandonedCallsCountWhileTheyAreQueued(Abandonment abandonment) throws IOException {
    var token = new FaultyToken(SoftHsm.shared().token());
    try (var small =
            LoopbackDaemon.withAdmin()
                .rule("spiffe://test/greedy", "[GenerateMac]", "*")
                .token("queue: 4")
                .token("lanes: 1")
                .token("probe_interval: 1h")
                .token("hang_timeout: 10m")
                .limit("max_call_time: 10m")
                .wrapping(_ -> token)
                .start();
        RawHttp2 first = small.raw("greedy").preface();
        RawHttp2 other = small.raw("admin").preface()) {
      var admin = small.as("admin");
      admin.createAlias("alias/there", admin.createKey(KeySpec.KEY_SPEC_HMAC_256));
      double others = small.metric("hmacd_connections") - 1;
      var gate = token.blocking(FaultyToken.Call.SIGN);
      first.call(1, MAC).data(1, message(0, request));
      gate.awaitEntered();
      for (int stream = 3; stream <= 9; stream += 2) {
        first.call(stream, MAC).data(stream, message(0, request));
      }
      Eventually.holds("four operations wait", () -> small.metric("hmacd_token_queue") == 4);
      try (RawHttp2 second = abandoned(first, abandonment, small, others)) {
        second.call(11, MAC).data(11, message(0, request));
        assertTooManyCallsOfTheClient(second.end(11));
        other.call(1, MAC).data(1, message(0, request));
        other.call(3, "/unknown").data(3, message(0, request));
        End _ = other.end(3); // The daemon has read call 1 before, and has not refused it.
        gate.close();
        assertThat(other.end(1)).isEqualTo(OK);
        second.call(13, MAC).data(13, message(0, request));
        assertThat(second.end(13)).isEqualTo(OK);
      }
    }
  }

  private static void assertTooManyCallsOfTheClient(End end) {
    assertThat(end.withoutText())
        .isEqualTo(new End.Answered(Code.RESOURCE_EXHAUSTED, "TOKEN_BUSY", ""));
    assertThat(((End.Answered) end).text())
        .startsWith(
            "too many calls of this client, or of clients of its authority, are in flight: wait for"
                + " answers before you send more");
  }

  /// Abandons calls 1 to 9, and returns a connection of the same caller.
  private static RawHttp2 abandoned(
      RawHttp2 first, Abandonment abandonment, LoopbackDaemon daemon, double others)
      throws IOException {
    return switch (abandonment) {
      case RESETS_STREAMS -> {
        for (int stream = 1; stream <= 9; stream += 2) {
          first.frame(RST_STREAM, 0, stream, 0, 0, 0, (int) Http2Error.CANCEL.code());
        }
        yield first;
      }
      case RECONNECTS -> {
        first.close();
        Eventually.holds(
            "the connection is closed", () -> daemon.metric("hmacd_connections") <= others);
        yield daemon.raw("greedy").preface();
      }
    };
  }

  /// Load balancers may use the certificate of a busy caller for health checks.
  @Test
  void callerAtItsLimitOfCallsCanCheckHealth() throws IOException {
    var token = new FaultyToken(SoftHsm.shared().token());
    try (var small =
            LoopbackDaemon.withAdmin()
                .token("queue: 1")
                .token("lanes: 1")
                .token("probe_interval: 1h")
                .token("hang_timeout: 10m")
                .limit("max_call_time: 10m")
                .wrapping(_ -> token)
                .start();
        RawHttp2 caller = small.raw("admin").preface()) {
      var admin = small.as("admin");
      admin.createAlias("alias/there", admin.createKey(KeySpec.KEY_SPEC_HMAC_256));
      for (int stream = 1; stream < 7; stream += 2) { // Watches do not use the limit of calls.
        caller.call(stream, WATCH).data(stream, message(0));
        caller.awaitMessage(stream);
      }
      try (var gate = token.blocking(FaultyToken.Call.SIGN)) {
        caller.call(7, MAC).data(7, message(0, request));
        gate.awaitEntered();
        caller.call(9, MAC).data(9, message(0, request));
        caller.call(11, MAC).data(11, message(0, request));
        assertTooManyCallsOfTheClient(caller.end(11));
        caller.call(13, CHECK).data(13, message(0));
        assertThat(caller.end(13)).isEqualTo(OK);
        caller.call(15, LIST).data(15, message(0));
        assertThat(caller.end(15)).isEqualTo(OK);
        caller.call(17, WATCH).data(17, message(0));
        caller.awaitMessage(17);
      }
      assertThat(caller.end(7)).isEqualTo(OK);
    }
  }

  @Test
  void principalHasHalfOfTheRegistryQueue() throws IOException {
    String create = "/hmacd.v1.KeyService/CreateKey";
    byte[] key =
        CreateKeyRequest.newBuilder().setKeySpec(KeySpec.KEY_SPEC_HMAC_256).build().toByteArray();
    var token = new FaultyToken(SoftHsm.shared().token());
    try (var small =
            LoopbackDaemon.withAdmin()
                .rule("spiffe://test/greedy", "[CreateKey]", "*")
                .token("lanes: 1")
                .token("hang_timeout: 10m")
                .limit("max_call_time: 10m")
                .wrapping(_ -> token)
                .start();
        RawHttp2 greedy = small.raw("greedy").preface()) {
      try (var gate = token.blocking(FaultyToken.Call.GENERATE)) {
        for (int i = 0; i < 129; i++) {
          greedy.call(1 + 2 * i, create).data(1 + 2 * i, message(0, key));
        }
        gate.awaitEntered();
        End refused = greedy.end(257);
        assertThat(refused.withoutText())
            .isEqualTo(new End.Answered(Code.RESOURCE_EXHAUSTED, "REGISTRY_BUSY", ""));
        assertThat(((End.Answered) refused).text())
            .startsWith("too many calls of this client to the registry are in flight");
        var _ =
            small.as("admin").keys().listKeys(ListKeysRequest.newBuilder().setPageSize(1).build());
      }
      assertThat(greedy.end(255)).isEqualTo(OK);
      greedy.call(259, create).data(259, message(0, key));
      assertThat(greedy.end(259)).isEqualTo(OK);
    }
  }

  @Test
  void longRequestWithAnUnknownFieldIsRefusedBeforeItIsParsed() throws IOException {
    byte[] groups = new byte[131_000];
    Arrays.fill(groups, 0, groups.length / 2, (byte) 0x7b); // Field 15, start of a group.
    Arrays.fill(groups, groups.length / 2, groups.length, (byte) 0x7c);
    try (RawHttp2 greedy = daemon.raw("greedy").preface()) {
      greedy.call(1, MAC).data(1, message(0, groups));
      assertThat(greedy.end(1).withoutText())
          .isEqualTo(new End.Answered(Code.INVALID_ARGUMENT, "UNKNOWN_FIELD", ""));
    }
  }
}

package dev.hmacd.rpc;

import static dev.hmacd.testing.RawHttp2.DATA;
import static dev.hmacd.testing.RawHttp2.PADDED;
import static dev.hmacd.testing.RawHttp2.message;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.params.provider.Arguments.argumentSet;

import com.google.protobuf.ByteString;
import dev.hmacd.testing.Caller;
import dev.hmacd.testing.Eventually;
import dev.hmacd.testing.LoopbackDaemon;
import dev.hmacd.testing.RawHttp2;
import dev.hmacd.testing.RawHttp2.End;
import dev.hmacd.v1.CreateKeyRequest;
import dev.hmacd.v1.GenerateMacRequest;
import dev.hmacd.v1.KeySpec;
import dev.hmacd.v1.MacAlgorithm;
import dev.hmacd.v1.Tag;
import io.grpc.Status.Code;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import java.util.zip.GZIPOutputStream;
import javax.net.ssl.SSLContext;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/// The memory of incomplete requests has a bound for all callers and for each principal, for any
/// split into frames. Complete requests are served at the bound.
final class IncompleteRequestTest {
  private static final String PATH = "/hmacd.v1.MacService/GenerateMac";

  /// No call reaches `max_call_time` in these tests.
  private static final LoopbackDaemon daemon =
      LoopbackDaemon.withAdmin().limit("max_incomplete_bytes: 524288").limit("max_call_time: 10m");

  /// The bound of a principal: half of the bound of all callers.
  private static final int SHARE = 262_144;

  /// Bytes that the daemon holds of a frame with 10,005 bytes.
  private static final int HELD = 10_005 + 512;

  /// Stream of the call that fills the bound, after as many calls of [#HELD] bytes as fit.
  private static final int FILLED = 1 + 2 * (SHARE / HELD);

  private static final End BUSY = new End.Answered(Code.RESOURCE_EXHAUSTED, "MEMORY_BUSY", "");
  private static final End OK = new End.Answered(Code.OK, "", "");

  private static Caller admin;
  private static byte[] good = {};
  private static byte[] mac = {};

  @BeforeAll
  static void start() {
    daemon.start();
    admin = daemon.as("admin");
    admin.createAlias("alias/there", admin.createKey(KeySpec.KEY_SPEC_HMAC_256));
    mac = admin.generateMac("alias/there", "hello");
    good = request(ByteString.copyFromUtf8("hello"));
  }

  @AfterAll
  static void stop() {
    daemon.close();
  }

  @AfterEach
  void memoryIsReleased() {
    assertThat(admin.generateMac("alias/there", "hello")).isEqualTo(mac);
    Eventually.holds(
        "the whole bound is free",
        () -> {
          try (RawHttp2 first = daemon.raw("greedy").preface();
              RawHttp2 second = daemon.raw("second").preface()) {
            return isFilledExactly(first) && isFilledExactly(second) && end(first) && end(second);
          } catch (IOException e) {
            throw new UncheckedIOException(e);
          }
        });
  }

  /// Fills the bound of a principal, and returns whether only the call above the bound was refused.
  /// A complete request follows, which is answered in any case.
  private static boolean isFilledExactly(RawHttp2 caller) throws IOException {
    sendAboveTheBound(caller);
    awaitRelease(caller, FILLED + 4);
    return caller.ended().equals(Set.of(FILLED + 2, FILLED + 4));
  }

  /// Ends the calls of [#fill] one by one, so that the daemon holds nothing of them.
  private static boolean end(RawHttp2 caller) throws IOException {
    for (int call = 1; call <= FILLED; call += 2) {
      caller.data(call);
      assertThat(caller.end(call).withoutText()).isNotEqualTo(BUSY);
    }
    awaitRelease(caller, FILLED + 6);
    return true;
  }

  /// Waits until the daemon has released the memory of all calls that have ended on a connection:
  /// it may send an answer before, but reads the next request afterwards.
  ///
  /// @param complete the stream of a further complete request
  private static void awaitRelease(RawHttp2 caller, int complete) throws IOException {
    caller.call(complete, PATH).data(complete, message(0, good));
    End _ = caller.end(complete);
  }

  private static byte[] request(ByteString message) {
    return GenerateMacRequest.newBuilder()
        .setKeyId("alias/there")
        .setMessage(message)
        .setMacAlgorithm(MacAlgorithm.MAC_ALGORITHM_HMAC_SHA_256)
        .build()
        .toByteArray();
  }

  private static byte[] gzip(byte[] plain) throws IOException {
    var out = new ByteArrayOutputStream();
    try (var gzip = new GZIPOutputStream(out)) {
      gzip.write(plain);
    }
    return out.toByteArray();
  }

  interface Script {
    void write(RawHttp2 caller, int call) throws IOException;
  }

  private static Arguments row(String name, int most, Script piece) {
    return argumentSet(name, most, piece);
  }

  static Stream<Arguments> pieces() throws IOException {
    byte[] prefix = {0, 0, 1, 0, 0};
    byte[] body = new byte[10_000];
    byte[] whole = message(0, request(ByteString.copyFrom(new byte[10_000])));
    byte[] compressed = message(1, gzip(request(ByteString.copyFrom(new byte[30_000]))));
    return Stream.of(
        row(
            "start of a message",
            23,
            (caller, call) ->
                caller.call(call, PATH).frame(DATA, 0, call, prefix).frame(DATA, 0, call, body)),
        row(
            "message without END_STREAM",
            12,
            (caller, call) -> caller.call(call, PATH).frame(DATA, 0, call, whole)),
        row(
            "compressed message without END_STREAM",
            8,
            (caller, call) ->
                caller.call(call, PATH, "grpc-encoding", "gzip").frame(DATA, 0, call, compressed)));
  }

  /// @param most number of such calls within the bound
  @ParameterizedTest
  @MethodSource("pieces")
  void callAboveTheBoundIsRefusedAndOthersAreServed(int most, Script piece) throws IOException {
    try (RawHttp2 greedy = daemon.raw("greedy").preface();
        RawHttp2 other = daemon.raw("admin").preface()) {
      for (int i = 0; i <= most; i++) {
        piece.write(greedy, 1 + 2 * i);
      }
      assertThat(greedy.end(1 + 2 * most).withoutText()).isEqualTo(BUSY);
      other.call(1, PATH).data(1, message(0, good));
      assertThat(other.end(1).withoutText()).isEqualTo(OK);
      greedy.data(1);
      assertThat(greedy.end(1).withoutText()).isNotEqualTo(BUSY);
    }
  }

  /// Fills the bound of a principal to the last byte, and sends one more call.
  ///
  /// @return the end of the last call
  private static End fill(RawHttp2 greedy) throws IOException {
    sendAboveTheBound(greedy);
    End last = greedy.end(FILLED + 2);
    awaitRelease(greedy, FILLED + 4);
    assertThat(greedy.ended()).containsExactlyInAnyOrder(FILLED + 2, FILLED + 4);
    return last;
  }

  private static void sendAboveTheBound(RawHttp2 greedy) throws IOException {
    byte[] beginning = new byte[10_005];
    beginning[2] = 1;
    for (int call = 1; call < FILLED; call += 2) {
      greedy.call(call, PATH).frame(DATA, 0, call, beginning);
    }
    int rest = SHARE % HELD - 512;
    greedy.call(FILLED, PATH).frame(DATA, 0, FILLED, Arrays.copyOf(beginning, rest));
    greedy.call(FILLED + 2, PATH).frame(DATA, 0, FILLED + 2, beginning);
  }

  @Test
  void principalHasHalfOfTheBound() throws IOException {
    try (RawHttp2 greedy = daemon.raw("greedy").preface();
        RawHttp2 other = daemon.raw("admin").preface()) {
      End refused = fill(greedy);
      assertThat(refused.withoutText()).isEqualTo(BUSY);
      assertThat(((End.Answered) refused).text())
          .startsWith(
              "too many incomplete requests of this client: complete them before you send"
                  + " more");
      byte[] longest = message(0, request(ByteString.copyFrom(new byte[120_000])));
      other.call(1, PATH).data(1, longest);
      assertThat(other.end(1).withoutText())
          .isEqualTo(new End.Answered(Code.INVALID_ARGUMENT, "MESSAGE_TOO_LONG", ""));
    }
  }

  /// Short requests are served also if the bound is filled to the last byte.
  @Test
  void shortRequestIsServedWhileTheBoundIsFull() throws IOException {
    try (RawHttp2 greedy = daemon.raw("greedy").preface();
        RawHttp2 second = daemon.raw("second").preface();
        RawHttp2 other = daemon.raw("admin").preface()) {
      assertThat(fill(greedy).withoutText()).isEqualTo(BUSY);
      assertThat(fill(second).withoutText()).isEqualTo(BUSY);
      byte[] beginning = new byte[10_005];
      beginning[2] = 1;
      other.call(3, PATH).frame(DATA, 0, 3, beginning);
      End refused = other.end(3);
      assertThat(refused.withoutText()).isEqualTo(BUSY);
      assertThat(((End.Answered) refused).text()).startsWith("the memory for calls is full");
      byte[] whole = message(0, good);
      other.call(5, PATH).frame(DATA, 0, 5, Arrays.copyOf(whole, 7));
      other.data(5, Arrays.copyOfRange(whole, 7, whole.length));
      assertThat(other.end(5).withoutText()).isEqualTo(OK);
    }
  }

  @Test
  void requestInFramesOfOneByteIsRefusedAboveTheBound() throws IOException {
    try (RawHttp2 greedy = daemon.raw("greedy").preface()) {
      greedy.call(1, PATH).frame(DATA, 0, 1, 0, 0, 0, 2, 0);
      for (int i = 0; i < 510; i++) {
        greedy.frame(DATA, 0, 1, 1);
      }
      assertThat(greedy.end(1).withoutText()).isEqualTo(BUSY);
    }
  }

  @Test
  void oldestCallsWithoutDataAreRefusedFirst() throws IOException {
    try (RawHttp2 greedy = daemon.raw("admin").preface()) {
      for (int i = 0; i < 100; i++) {
        greedy.call(1 + 2 * i, PATH);
      }
      assertThat(greedy.end(1).withoutText()).isEqualTo(BUSY);
      greedy.data(199, message(0, good));
      assertThat(greedy.end(199).withoutText()).isEqualTo(OK);
    }
  }

  /// The calls of the other principal are older, but fewer.
  @Test
  void callsWithoutDataAreRefusedForThePrincipalWithTooMany() throws IOException {
    try (RawHttp2 modest = daemon.raw("admin").preface();
        RawHttp2 greedy = daemon.raw("greedy").preface()) {
      modest.call(1, PATH);
      for (int i = 0; i < 200; i++) {
        greedy.call(1 + 2 * i, PATH);
      }
      assertThat(greedy.end(1).withoutText()).isEqualTo(BUSY);
      modest.data(1, message(0, good));
      assertThat(modest.end(1).withoutText()).isEqualTo(OK);
    }
  }

  @Test
  void dataOfRefusedCallsIsDiscarded() throws IOException {
    try (RawHttp2 greedy = daemon.raw("greedy").preface()) {
      greedy.call(1, PATH).frame(DATA, 0, 1, 0, 0x7f, 0xff, 0xff, 0xff);
      assertThat(greedy.end(1).withoutText())
          .isEqualTo(new End.Answered(Code.RESOURCE_EXHAUSTED, "REQUEST_TOO_LONG", ""));
      byte[] more = new byte[16_384];
      for (int i = 0; i < 100; i++) { // More data than the flow-control windows.
        greedy.frame(DATA, 0, 1, more);
      }
      greedy.call(3, PATH).data(3, message(0, good));
      assertThat(greedy.end(3).withoutText())
          .isEqualTo(new End.Answered(Code.PERMISSION_DENIED, "ACCESS_DENIED", ""));
    }
  }

  @Test
  void emptyFramesDoNotCount() throws IOException {
    try (RawHttp2 caller = daemon.raw("admin").preface()) {
      byte[] whole = message(0, good);
      caller.call(1, PATH).frame(DATA, 0, 1, Arrays.copyOf(whole, 7));
      for (int i = 0; i < 1000; i++) {
        caller.frame(DATA, 0, 1);
        caller.frame(DATA, PADDED, 1, 3, 0, 0, 0);
      }
      caller.data(1, Arrays.copyOfRange(whole, 7, whole.length));
      assertThat(caller.end(1).withoutText()).isEqualTo(OK);
    }
  }

  @Test
  void unauthenticatedCallIsRefusedBeforeItsRequestArrives() throws IOException {
    SSLContext nobody = daemon.ca().context(daemon.ca().issue(b -> b.subject("O=nobody")));
    for (String path : List.of(PATH, "/hmacd.v1.MacService/Sign", "/grpc.health.v1.Health/Watch")) {
      try (RawHttp2 caller =
          new RawHttp2(nobody.getSocketFactory().createSocket("127.0.0.1", daemon.port()))) {
        caller.preface().call(1, path);
        assertThat(caller.end(1).withoutText())
            .as(path)
            .isEqualTo(new End.Answered(Code.UNAUTHENTICATED, "UNAUTHENTICATED", ""));
      }
    }
  }

  /// The longest request within the limits of each field, in characters of four bytes.
  @Test
  void longestRequestOfTheContractIsAccepted() {
    String character = "\uD83D\uDD11";
    var request =
        CreateKeyRequest.newBuilder()
            .setKeySpec(KeySpec.KEY_SPEC_HMAC_256)
            .setDescription(character.repeat(8192));
    for (int i = 0; i < 50; i++) {
      request.addTags(
          Tag.newBuilder()
              .setTagKey(character.repeat(126) + (10 + i))
              .setTagValue(character.repeat(256)));
    }
    assertThat(admin.keys().createKey(request.build()).getKeyMetadata().getKeyId()).isNotEmpty();
  }
}

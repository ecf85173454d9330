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

/// What the daemon keeps of requests that have not come whole is bounded for all callers together
/// and for each, whatever they are cut into; requests that come whole are served all the same.
final class IncompleteRequestTest {
  private static final String PATH = "/hmacd.v1.MacService/GenerateMac";

  /// Longer than any of these tests may take: no call ends because it is late.
  private static final LoopbackDaemon daemon =
      LoopbackDaemon.withAdmin().limit("max_incomplete_bytes: 524288").limit("max_call_time: 10m");

  /// Half of what all callers together have.
  private static final int SHARE = 262_144;

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
  void whatWasHeldIsGivenBack() {
    assertThat(admin.generateMac("alias/there", "hello")).isEqualTo(mac);
    byte[] inPieces = message(0, request(ByteString.copyFrom(new byte[120_000])));
    Eventually.holds(
        "a request that comes in pieces is taken",
        () -> {
          try (RawHttp2 caller = daemon.raw("admin").preface()) {
            caller.call(1, PATH).data(1, inPieces);
            return told(caller.end(1))
                .equals(new End.Answered(Code.INVALID_ARGUMENT, "INVALID_FIELD", ""));
          } catch (IOException e) {
            throw new UncheckedIOException(e);
          }
        });
  }

  private static byte[] request(ByteString message) {
    return GenerateMacRequest.newBuilder()
        .setKeyId("alias/there")
        .setMessage(message)
        .setMacAlgorithm(MacAlgorithm.MAC_ALGORITHM_HMAC_SHA_256)
        .build()
        .toByteArray();
  }

  /// Without the text.
  private static End told(End end) {
    return end instanceof End.Answered(var code, var reason, var _)
        ? new End.Answered(code, reason, "")
        : end;
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
            "the beginning of a request",
            23,
            (caller, call) ->
                caller.call(call, PATH).frame(DATA, 0, call, prefix).frame(DATA, 0, call, body)),
        row(
            "a message without the request's end",
            12,
            (caller, call) -> caller.call(call, PATH).frame(DATA, 0, call, whole)),
        row(
            "a compressed message without the request's end",
            8,
            (caller, call) ->
                caller.call(call, PATH, "grpc-encoding", "gzip").frame(DATA, 0, call, compressed)));
  }

  /// @param most calls of which that may be kept
  @ParameterizedTest
  @MethodSource("pieces")
  void callThatExceedsWhatMayBeKeptIsRefusedAndOthersGoOn(int most, Script piece)
      throws IOException {
    try (RawHttp2 greedy = daemon.raw("greedy").preface();
        RawHttp2 other = daemon.raw("admin").preface()) {
      for (int i = 0; i <= most; i++) {
        piece.write(greedy, 1 + 2 * i);
      }
      assertThat(told(greedy.end(1 + 2 * most))).isEqualTo(BUSY);
      other.call(1, PATH).data(1, message(0, good));
      assertThat(told(other.end(1))).isEqualTo(OK);
      greedy.data(1);
      assertThat(told(greedy.end(1))).isNotEqualTo(BUSY);
    }
  }

  /// Fills what one principal may have to the last byte, and one call more.
  ///
  /// @return how the last call ended
  private static End fill(RawHttp2 greedy) throws IOException {
    byte[] beginning = new byte[10_005];
    beginning[2] = 1;
    int held = beginning.length + 512;
    int fitting = SHARE / held;
    for (int i = 0; i < fitting; i++) {
      greedy.call(1 + 2 * i, PATH).frame(DATA, 0, 1 + 2 * i, beginning);
    }
    int rest = SHARE - fitting * held - 512;
    int last = 1 + 2 * fitting;
    greedy.call(last, PATH).frame(DATA, 0, last, Arrays.copyOf(beginning, rest));
    greedy.call(last + 2, PATH).frame(DATA, 0, last + 2, beginning);
    return greedy.end(last + 2);
  }

  @Test
  void principalHasHalfAndOthersTheRest() throws IOException {
    try (RawHttp2 greedy = daemon.raw("greedy").preface();
        RawHttp2 other = daemon.raw("admin").preface()) {
      End refused = fill(greedy);
      assertThat(told(refused)).isEqualTo(BUSY);
      assertThat(((End.Answered) refused).told())
          .startsWith(
              "too many requests of this client have not come whole: finish them before you send"
                  + " more");
      byte[] longest = message(0, request(ByteString.copyFrom(new byte[120_000])));
      other.call(1, PATH).data(1, longest);
      assertThat(told(other.end(1)))
          .isEqualTo(new End.Answered(Code.INVALID_ARGUMENT, "INVALID_FIELD", ""));
    }
  }

  /// Who fills the bound to its last byte keeps out nobody whose request is short.
  @Test
  void shortCallHasRoomBesideLongOnesThatFillTheBound() throws IOException {
    try (RawHttp2 greedy = daemon.raw("greedy").preface();
        RawHttp2 second = daemon.raw("second").preface();
        RawHttp2 other = daemon.raw("admin").preface()) {
      assertThat(told(fill(greedy))).isEqualTo(BUSY);
      assertThat(told(fill(second))).isEqualTo(BUSY);
      byte[] beginning = new byte[10_005];
      beginning[2] = 1;
      other.call(3, PATH).frame(DATA, 0, 3, beginning);
      End refused = other.end(3);
      assertThat(told(refused)).isEqualTo(BUSY);
      assertThat(((End.Answered) refused).told())
          .startsWith("too many requests have not come whole");
      byte[] whole = message(0, good);
      other.call(5, PATH).frame(DATA, 0, 5, Arrays.copyOf(whole, 7));
      other.data(5, Arrays.copyOfRange(whole, 7, whole.length));
      assertThat(told(other.end(5))).isEqualTo(OK);
    }
  }

  @Test
  void requestInPiecesOfOneByteIsRefusedWhenItExceedsWhatMayBeKept() throws IOException {
    try (RawHttp2 greedy = daemon.raw("greedy").preface()) {
      greedy.call(1, PATH).frame(DATA, 0, 1, 0, 0, 0, 2, 0);
      for (int i = 0; i < 510; i++) {
        greedy.frame(DATA, 0, 1, 1);
      }
      assertThat(told(greedy.end(1))).isEqualTo(BUSY);
    }
  }

  @Test
  void callsThatAreHeadersOnlyAreRefusedFromTheOldestOn() throws IOException {
    try (RawHttp2 greedy = daemon.raw("admin").preface()) {
      for (int i = 0; i < 100; i++) {
        greedy.call(1 + 2 * i, PATH);
      }
      assertThat(told(greedy.end(1))).isEqualTo(BUSY);
      greedy.data(199, message(0, good));
      assertThat(told(greedy.end(199))).isEqualTo(OK);
    }
  }

  /// Also where another's are older.
  @Test
  void callsThatAreHeadersOnlyAreRefusedToWhoHasTooMany() throws IOException {
    try (RawHttp2 modest = daemon.raw("admin").preface();
        RawHttp2 greedy = daemon.raw("greedy").preface()) {
      modest.call(1, PATH);
      for (int i = 0; i < 200; i++) {
        greedy.call(1 + 2 * i, PATH);
      }
      assertThat(told(greedy.end(1))).isEqualTo(BUSY);
      modest.data(1, message(0, good));
      assertThat(told(modest.end(1))).isEqualTo(OK);
    }
  }

  @Test
  void whatComesForCallsThatWereRefusedIsNotKept() throws IOException {
    try (RawHttp2 greedy = daemon.raw("greedy").preface()) {
      greedy.call(1, PATH).frame(DATA, 0, 1, 0, 0x7f, 0xff, 0xff, 0xff);
      assertThat(told(greedy.end(1)))
          .isEqualTo(new End.Answered(Code.RESOURCE_EXHAUSTED, "REQUEST_TOO_LONG", ""));
      byte[] more = new byte[16_384];
      for (int i = 0; i < 100; i++) { // More than the windows have, if it were not read.
        greedy.frame(DATA, 0, 1, more);
      }
      greedy.call(3, PATH).data(3, message(0, good));
      assertThat(told(greedy.end(3)))
          .isEqualTo(new End.Answered(Code.PERMISSION_DENIED, "ACCESS_DENIED", ""));
    }
  }

  @Test
  void piecesThatBringNothingDoNotCount() throws IOException {
    try (RawHttp2 caller = daemon.raw("admin").preface()) {
      byte[] whole = message(0, good);
      caller.call(1, PATH).frame(DATA, 0, 1, Arrays.copyOf(whole, 7));
      for (int i = 0; i < 1000; i++) {
        caller.frame(DATA, 0, 1);
        caller.frame(DATA, PADDED, 1, 3, 0, 0, 0);
      }
      caller.data(1, Arrays.copyOfRange(whole, 7, whole.length));
      assertThat(told(caller.end(1))).isEqualTo(OK);
    }
  }

  @Test
  void callOfNobodyIsRefusedBeforeItsRequestComes() throws IOException {
    SSLContext nobody = daemon.ca().context(daemon.ca().issue(b -> b.subject("O=nobody")));
    for (String path : List.of(PATH, "/hmacd.v1.MacService/Sign", "/grpc.health.v1.Health/Watch")) {
      try (RawHttp2 caller =
          new RawHttp2(nobody.getSocketFactory().createSocket("127.0.0.1", daemon.port()))) {
        caller.preface().call(1, path);
        assertThat(told(caller.end(1)))
            .as(path)
            .isEqualTo(new End.Answered(Code.UNAUTHENTICATED, "UNAUTHENTICATED", ""));
      }
    }
  }

  /// The longest that the fields' own limits allow, in characters of four bytes.
  @Test
  void longestRequestOfTheContractIsTaken() {
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

package dev.hmacd.rpc;

import static dev.hmacd.testing.RawHttp2.DATA;
import static dev.hmacd.testing.RawHttp2.END_HEADERS;
import static dev.hmacd.testing.RawHttp2.END_STREAM;
import static dev.hmacd.testing.RawHttp2.HEADERS;
import static dev.hmacd.testing.RawHttp2.SETTINGS;
import static dev.hmacd.testing.RawHttp2.callHeaders;
import static dev.hmacd.testing.RawHttp2.headers;
import static dev.hmacd.testing.RawHttp2.message;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.params.provider.Arguments.argumentSet;

import dev.hmacd.testing.Caller;
import dev.hmacd.testing.DaemonProcess;
import dev.hmacd.testing.LoopbackDaemon;
import dev.hmacd.testing.RawHttp2;
import dev.hmacd.testing.SoftHsm;
import dev.hmacd.v1.KeySpec;
import io.grpc.health.v1.HealthCheckRequest;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import javax.net.ssl.SSLContext;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/// A caller without permissions floods a daemon with a small heap. The daemon serves other callers
/// meanwhile and afterwards.
@Tag("slow")
final class MemoryTest {
  private static final String PATH = "/hmacd.v1.MacService/GenerateMac";

  @TempDir static Path folder;

  private static LoopbackDaemon files;
  private static DaemonProcess daemon;
  private static SSLContext greedy;
  private static Caller admin;
  private static byte[] mac = {};

  @BeforeAll
  static void start() {
    SoftHsm hsm = SoftHsm.create(folder.resolve("hsm/softhsm2.conf"));
    files = LoopbackDaemon.on(hsm).allowingAll("admin").limit("max_call_time: 10m");
    daemon =
        DaemonProcess.start(
            files,
            hsm,
            Map.of(),
            List.of("-Xmx64m", "-XX:MaxDirectMemorySize=16m", "-XX:+ExitOnOutOfMemoryError"));
    greedy = files.ca().context(files.ca().client("greedy"));
    admin = daemon.as("admin");
    admin.createAlias("alias/there", admin.createKey(KeySpec.KEY_SPEC_HMAC_256));
    mac = admin.generateMac("alias/there", "hello");
  }

  @AfterAll
  static void stop() {
    daemon.close();
  }

  private static RawHttp2 connected() throws IOException {
    return new RawHttp2(greedy.getSocketFactory().createSocket("127.0.0.1", daemon.port()))
        .preface();
  }

  interface Flood {
    void write(RawHttp2 caller) throws IOException;
  }

  private static Arguments row(String name, int connections, Flood flood) {
    return argumentSet(name, connections, flood);
  }

  static Stream<Arguments> floods() {
    byte[] beginning = new byte[16_384];
    beginning[2] = 1; // The message has 64 KiB.
    byte[] watch = message(0, nameOf(130_000));
    byte[] byteInARecord =
        joined(
            RawHttp2.frameBytes(DATA, 0, 1, new byte[1]),
            RawHttp2.frameBytes(0x42, 0, 0, new byte[16_000]));
    byte[] emptyFrames =
        joined(
            Collections.nCopies(1800, RawHttp2.frameBytes(DATA, 0, 1, new byte[0]))
                .toArray(byte[][]::new));
    byte[] groups = new byte[131_000]; // Field 15: nested groups without an end.
    Arrays.fill(groups, (byte) 0x7b);
    byte[] unfinished = Arrays.copyOf(RawHttp2.frameBytes(DATA, 0, 1, new byte[16_384]), 16_392);
    return Stream.of(
        row(
            "calls of nested unknown groups without END_STREAM",
            1,
            caller -> {
              for (int stream = 1; stream < 120; stream += 2) {
                caller.call(stream, PATH);
                byte[] whole = message(0, groups);
                for (int from = 0; from < whole.length; from += 16_384) {
                  byte[] piece =
                      Arrays.copyOfRange(whole, from, Math.min(whole.length, from + 16_384));
                  caller.frame(DATA, 0, stream, piece);
                }
              }
            }),
        row(
            "unread answers",
            60,
            caller -> {
              caller.frame(SETTINGS, 0, 0, 0, 4, 0, 0, 0, 0); // Initial window 0.
              for (int stream = 1; stream < 500; stream += 2) {
                caller.call(stream, "/grpc.health.v1.Health/Check").data(stream, message(0));
              }
            }),
        row(
            "unread errors of gRPC",
            40,
            caller -> {
              caller.frame(SETTINGS, 0, 0, 0, 4, 0, 0, 0, 0); // Initial window 0.
              byte[] withoutSlash = callHeaders("x".repeat(7000));
              for (int stream = 1; stream < 250; stream += 2) {
                caller.frame(HEADERS, END_HEADERS | END_STREAM, stream, withoutSlash);
              }
            }),
        row(
            "watches with long authorities",
            16,
            caller -> {
              for (int stream = 1; stream < 500; stream += 2) {
                caller
                    .frame(HEADERS, END_HEADERS, stream, watchHeaders(stream + "a".repeat(7000)))
                    .data(stream, message(0));
              }
            }),
        row(
            "frames without their last byte",
            300,
            caller -> caller.call(1, PATH).bytes(unfinished)),
        row(
            "watches of services with long names",
            4,
            caller -> {
              for (int stream = 1; stream < 500; stream += 2) {
                caller.call(stream, "/grpc.health.v1.Health/Watch").data(stream, watch);
              }
            }),
        row(
            "unfinished requests",
            4,
            caller -> {
              for (int stream = 1; stream < 500; stream += 2) {
                caller.call(stream, PATH);
                for (int i = 0; i < 4; i++) {
                  caller.frame(DATA, 0, stream, beginning);
                }
              }
            }),
        row(
            "single bytes in separate TLS records",
            1,
            caller -> {
              caller.call(1, PATH).frame(DATA, 0, 1, 0, 0, 1, 0, 0);
              for (int i = 0; i < 4000; i++) {
                caller.bytes(byteInARecord);
              }
            }),
        row(
            "empty frames",
            1,
            caller -> {
              caller.call(1, PATH).frame(DATA, 0, 1, 0);
              for (int i = 0; i < 1000; i++) {
                caller.bytes(emptyFrames);
              }
            }),
        row(
            "calls without DATA frames",
            100,
            caller -> {
              byte[] headers = callHeaders(PATH);
              for (int stream = 1; stream < 500; stream += 2) {
                caller.frame(HEADERS, END_HEADERS, stream, headers);
              }
            }));
  }

  private static byte[] watchHeaders(String authority) {
    return headers(
        ":method",
        "POST",
        ":scheme",
        "https",
        ":path",
        "/grpc.health.v1.Health/Watch",
        ":authority",
        authority,
        "content-type",
        "application/grpc",
        "te",
        "trailers");
  }

  private static byte[] joined(byte[]... frames) {
    var out = new ByteArrayOutputStream();
    for (byte[] each : frames) {
      out.writeBytes(each);
    }
    return out.toByteArray();
  }

  private static byte[] nameOf(int length) {
    return HealthCheckRequest.newBuilder().setService("x".repeat(length)).build().toByteArray();
  }

  @ParameterizedTest
  @MethodSource("floods")
  void otherCallersAreServedDuringAndAfterAFlood(int connections, Flood flood) throws IOException {
    List<RawHttp2> open = new ArrayList<>();
    try {
      for (int i = 0; i < connections; i++) {
        RawHttp2 caller = connected();
        open.add(caller);
        try {
          flood.write(caller);
        } catch (IOException e) {
          // The daemon closed the connection for its memory.
        }
      }
      assertThat(admin.generateMac("alias/there", "hello")).isEqualTo(mac);
      try (Caller other = daemon.as("admin")) {
        assertThat(other.generateMac("alias/there", "hello")).isEqualTo(mac);
      }
    } finally {
      for (RawHttp2 each : open) {
        each.close();
      }
    }
  }
}

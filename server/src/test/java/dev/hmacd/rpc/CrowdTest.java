package dev.hmacd.rpc;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;

import dev.hmacd.testing.Caller;
import dev.hmacd.testing.Crowd;
import dev.hmacd.testing.DaemonProcess;
import dev.hmacd.testing.Eventually;
import dev.hmacd.testing.LoopbackDaemon;
import dev.hmacd.testing.SoftHsm;
import dev.hmacd.testing.TestCa;
import dev.hmacd.v1.KeySpec;
import io.netty.pkitesting.X509Bundle;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Ten thousand connections of another process. The daemon has memory for little more than these,
/// and serves another caller meanwhile.
@Tag("slow")
final class CrowdTest {
  private static final int WITH_CERTIFICATE = 10_000;
  private static final int SILENT = 3_000;
  private static final int MAX_HANDSHAKES = 512;

  /// Size of the old generation, smaller than in `bin/hmacd`: 25 KiB for each connection, and the
  /// memory of an idle daemon. If a connection needs more memory, the daemon runs out of memory and
  /// exits.
  private static final int OLD_MIB = 264;

  private static final int YOUNG_MIB = 20;

  /// The lifetime of the crowd process. The test reads its output without a separate timeout.
  private static final int LIMIT_SECONDS = 3600;

  @TempDir Path folder;

  /// A caller that generates MACs one after the other, and measures the latency.
  private static final class Steady implements AutoCloseable {
    private final List<Long> nanos = Collections.synchronizedList(new ArrayList<>());
    private final AtomicReference<Throwable> failure = new AtomicReference<>();
    private final Thread thread;
    private volatile boolean over;

    Steady(Caller caller, String key) {
      byte[] mac = caller.generateMac(key, "hello");
      thread =
          Thread.ofPlatform()
              .start(
                  () -> {
                    try {
                      while (!over) {
                        long start = System.nanoTime();
                        assertThat(caller.generateMac(key, "hello")).isEqualTo(mac);
                        nanos.add(System.nanoTime() - start);
                      }
                    } catch (RuntimeException | AssertionError e) {
                      failure.set(e);
                    }
                  });
    }

    /// The latency since the last call of this method, after at least 500 MACs.
    String latency() {
      Eventually.holds("the caller is served", () -> nanos.size() > 500 || failure.get() != null);
      assertThat(failure.get()).isNull();
      List<Long> sorted;
      synchronized (nanos) {
        sorted = nanos.stream().sorted().toList();
        nanos.clear();
      }
      return "%d calls, p50 %.1f ms, p99 %.1f ms, longest %.1f ms"
          .formatted(
              sorted.size(),
              sorted.get(sorted.size() / 2) / 1e6,
              sorted.get(sorted.size() * 99 / 100) / 1e6,
              sorted.getLast() / 1e6);
    }

    @Override
    public void close() {
      over = true;
      Eventually.holds("the caller has ended", () -> !thread.isAlive());
      assertThat(failure.get()).isNull();
    }
  }

  private static long residentMiB(long pid) {
    try {
      return Files.readAllLines(Path.of("/proc/" + pid + "/status")).stream()
              .filter(line -> line.startsWith("VmRSS:"))
              .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")))
              .sum()
          / 1024;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static long descriptors(long pid) {
    try (var all = Files.list(Path.of("/proc/" + pid + "/fd"))) {
      return all.count();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private Process crowd(int port, TestCa ca) throws IOException {
    X509Bundle certificate = ca.client("crowd");
    Path authority = Files.writeString(folder.resolve("ca.pem"), ca.pem());
    Path own = folder.resolve("crowd.pem");
    Path key = folder.resolve("crowd-key.pem");
    TestCa.write(certificate, own, key);
    return new ProcessBuilder(
            Path.of(System.getProperty("java.home"), "bin", "java").toString(),
            "--enable-native-access=ALL-UNNAMED",
            "--sun-misc-unsafe-memory-access=allow",
            "-Xmx512m",
            "-XX:+UseSerialGC",
            "-cp",
            System.getProperty("java.class.path"),
            Crowd.class.getName(),
            Integer.toString(port),
            Integer.toString(WITH_CERTIFICATE),
            Integer.toString(SILENT),
            authority.toString(),
            own.toString(),
            key.toString())
        .redirectError(ProcessBuilder.Redirect.INHERIT)
        .start();
  }

  private static int readCount(BufferedReader lines) throws IOException {
    String line = lines.readLine();
    assertThat(line).as("output of the crowd").isNotNull();
    return Integer.parseInt(line);
  }

  private static void proceed(Process crowd) throws IOException {
    crowd.getOutputStream().write('\n');
    crowd.getOutputStream().flush();
  }

  @Test
  void callerIsServedBesideTenThousandIdleConnections() throws Exception {
    SoftHsm hsm = SoftHsm.create(folder.resolve("hsm/softhsm2.conf"));
    // No timeout of the daemon applies: on a busy machine so many handshakes take minutes.
    LoopbackDaemon files =
        LoopbackDaemon.on(hsm)
            .allowingAll("admin")
            .memory(80) // One principal may have half: 11 KiB for each connection.
            .limit("max_connections: 16384")
            .limit("handshake_timeout: 1h")
            .limit("keep_alive: 2h")
            .limit("connection_idle: 2h");
    var memory =
        List.of(
            "-Xms32m",
            "-Xmn" + YOUNG_MIB + "m",
            "-Xmx" + (YOUNG_MIB + OLD_MIB) + "m",
            "-XX:MaxDirectMemorySize=16m",
            "-Dio.netty.maxDirectMemory=83886080",
            "-Dio.netty.tryReflectionSetAccessible=true",
            "--add-opens=java.base/java.nio=ALL-UNNAMED", // The manifest of the jar has it, too.
            "-Xss512k",
            "-XX:+ExitOnOutOfMemoryError");
    try (var daemon = DaemonProcess.start(files, hsm, Map.of(), memory)) {
      Caller admin = daemon.as("admin");
      String key = admin.createKey(KeySpec.KEY_SPEC_HMAC_256);
      try (var caller = new Steady(admin, key)) {
        String alone = caller.latency();
        long residentAlone = residentMiB(daemon.pid());
        long descriptorsAlone = descriptors(daemon.pid());

        Process crowd = crowd(daemon.port(), files.ca());
        CompletableFuture.delayedExecutor(LIMIT_SECONDS, TimeUnit.SECONDS)
            .execute(crowd::destroyForcibly);
        try (var lines = crowd.inputReader(US_ASCII)) {
          int authenticated = readCount(lines);
          String meanwhile = caller.latency();
          String afterwards = caller.latency();
          long residentFull = residentMiB(daemon.pid());
          assertThat(authenticated).isEqualTo(WITH_CERTIFICATE);
          assertThat(descriptors(daemon.pid()))
              .isGreaterThanOrEqualTo(descriptorsAlone + WITH_CERTIFICATE);
          proceed(crowd);
          assertThat(readCount(lines)).isEqualTo(WITH_CERTIFICATE);

          int silent = readCount(lines);
          String flooded = caller.latency();
          assertThat(silent).isEqualTo(SILENT);
          Eventually.holds(
              "the silent connections are evicted",
              () ->
                  descriptors(daemon.pid())
                      <= descriptorsAlone + WITH_CERTIFICATE + MAX_HANDSHAKES);
          // A new caller connects while the silent connections are at their limit.
          assertThat(daemon.as("admin").generateMac(key, "hello")).hasSize(32);
          System.out.printf(
              """
              alone: %s; %d MiB resident
              while %d connections authenticate: %s
              once they are idle: %s; %d MiB resident, %d KiB each
              while and after %d connections say nothing: %s; %d MiB resident
              """,
              alone,
              residentAlone,
              WITH_CERTIFICATE,
              meanwhile,
              afterwards,
              residentFull,
              (residentFull - residentAlone) * 1024 / WITH_CERTIFICATE,
              SILENT,
              flooded,
              residentMiB(daemon.pid()));
          proceed(crowd);
          assertThat(readCount(lines)).isGreaterThanOrEqualTo(WITH_CERTIFICATE);
          assertThat(crowd.waitFor(Eventually.LIMIT.toSeconds(), TimeUnit.SECONDS)).isTrue();
        } finally {
          crowd.destroy();
        }
        Eventually.holds(
            "the descriptors of the crowd's connections are closed",
            () -> descriptors(daemon.pid()) <= descriptorsAlone + 2);
      }
    }
  }
}

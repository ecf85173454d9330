package dev.hmacd.token;

import static org.assertj.core.api.Assertions.assertThat;

import dev.hmacd.testing.Caller;
import dev.hmacd.testing.DaemonProcess;
import dev.hmacd.testing.LoopbackDaemon;
import dev.hmacd.testing.SoftHsm;
import dev.hmacd.v1.KeySpec;
import dev.hmacd.v1.MacAlgorithm;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicReference;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// The number of PKCS#11 calls for a MAC, counted outside of the daemon: OpenSC's `pkcs11-spy` is
/// between the daemon and the module, and logs each call.
final class CallsPerMacTest {
  private static final int WARM_UP = 200;
  private static final int MACS = 1000;
  private static final byte[] MESSAGE = "hello".getBytes(StandardCharsets.UTF_8);
  private static final MacAlgorithm SHA_256 = MacAlgorithm.MAC_ALGORITHM_HMAC_SHA_256;
  private static final Pattern CALL = Pattern.compile("^\\d+: (C_\\w+)", Pattern.MULTILINE);

  @TempDir private Path folder;

  @SuppressWarnings("NullAway.Init") // start() sets it.
  private DaemonProcess daemon;

  @BeforeEach
  void start() throws IOException {
    SoftHsm hsm = SoftHsm.create(folder.resolve("softhsm2.conf"));
    var files =
        LoopbackDaemon.on(hsm)
            .allowingAll("admin")
            .module(spy())
            // A second lane would load the key with its first operation, maybe while the test
            // counts.
            .token("lanes: 1")
            // No health check runs while the test counts.
            .token("probe_interval: 1h");
    daemon =
        DaemonProcess.start(
            files,
            hsm,
            Map.of("PKCS11SPY", hsm.module().toString(), "PKCS11SPY_OUTPUT", log().toString()));
  }

  @AfterEach
  void stop() {
    daemon.close();
  }

  private Path log() {
    return folder.resolve("spy.log");
  }

  /// Finds the library in the folders of all architectures.
  private static Path spy() throws IOException {
    try (var folders = Files.newDirectoryStream(Path.of("/usr/lib"))) {
      for (Path each : folders) {
        if (Files.exists(each.resolve("pkcs11-spy.so"))) {
          return each.resolve("pkcs11-spy.so");
        }
      }
    }
    throw new IOException("pkcs11-spy.so is not in any folder of /usr/lib: install opensc-pkcs11");
  }

  /// Runs the work, and returns the number of calls of each PKCS#11 function.
  private Map<String, Integer> callsOf(Runnable work) throws IOException {
    long before = Files.size(log());
    work.run();
    try (var file = new RandomAccessFile(log().toFile(), "r")) {
      byte[] added = new byte[Math.toIntExact(file.length() - before)];
      file.seek(before);
      file.readFully(added);
      Map<String, Integer> calls = new TreeMap<>();
      Matcher call = CALL.matcher(new String(added, StandardCharsets.ISO_8859_1));
      while (call.find()) {
        calls.merge(call.group(1), 1, Integer::sum);
      }
      return calls;
    }
  }

  @Test
  @Tag("slow")
  void eachMacIsTwoCallsAndNoSession() throws IOException {
    Caller admin = daemon.as("admin");
    var made = new AtomicReference<>("");
    // The first MACs prove that the log shows calls that later MACs must not cause.
    assertThat(
            callsOf(
                () -> {
                  made.set(admin.createKey(KeySpec.KEY_SPEC_HMAC_256));
                  generate(admin, made.get(), WARM_UP);
                }))
        // The trial of the key type at the first creation, one check value at the key's creation,
        // and one when the lane loads the key.
        .hasEntrySatisfying(
            "C_Sign", count -> assertThat(count).isBetween(WARM_UP + 2, WARM_UP + 3))
        .containsKeys("C_GenerateKey", "C_FindObjects", "C_CopyObject");
    assertThat(Files.readString(log())).contains("C_OpenSession");
    String key = made.get();
    byte[] mac = admin.generateMac(key, MESSAGE, SHA_256);
    assertThat(callsOf(() -> generate(admin, key, MACS)))
        .isEqualTo(Map.of("C_SignInit", MACS, "C_Sign", MACS));
    assertThat(
            callsOf(
                () -> {
                  for (int i = 0; i < MACS; i++) {
                    admin.verifyMac(key, MESSAGE, mac, SHA_256);
                  }
                }))
        .isEqualTo(Map.of("C_SignInit", MACS, "C_Sign", MACS));
  }

  private static void generate(Caller caller, String key, int count) {
    for (int i = 0; i < count; i++) {
      assertThat(caller.generateMac(key, MESSAGE, SHA_256)).hasSize(32);
    }
  }
}

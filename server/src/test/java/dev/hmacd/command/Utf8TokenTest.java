package dev.hmacd.command;

import static org.assertj.core.api.Assertions.assertThat;

import dev.hmacd.testing.Caller;
import dev.hmacd.testing.DaemonProcess;
import dev.hmacd.testing.LoopbackDaemon;
import dev.hmacd.testing.SoftHsm;
import dev.hmacd.v1.KeySpec;
import dev.hmacd.v1.MacAlgorithm;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// The daemon finds a token with a non-ASCII label, and logs in with a non-ASCII PIN.
@Tag("slow")
final class Utf8TokenTest {
  private static final byte[] MESSAGE = "hello".getBytes(StandardCharsets.UTF_8);

  @TempDir private Path folder;

  @ParameterizedTest(name = "label \"{0}\", PIN {1}")
  @CsvSource(
      ignoreLeadingAndTrailingWhitespace = false,
      value = {"schlüssel 鍵,pünktlich€9", " blank first,12345678"})
  void tokenWithNonAsciiLabelAndPinIsUsed(String label, String pin) {
    SoftHsm hsm = SoftHsm.create(folder.resolve("softhsm2.conf"), label, pin);
    var files = LoopbackDaemon.on(hsm).allowingAll("admin");
    try (DaemonProcess daemon = DaemonProcess.start(files, hsm, Map.of())) {
      Caller admin = daemon.as("admin");
      String key = admin.createKey(KeySpec.KEY_SPEC_HMAC_256);
      assertThat(admin.generateMac(key, MESSAGE, MacAlgorithm.MAC_ALGORITHM_HMAC_SHA_256))
          .hasSize(32);
    }
  }
}

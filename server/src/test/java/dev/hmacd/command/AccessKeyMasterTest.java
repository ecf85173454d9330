package dev.hmacd.command;

import static dev.hmacd.testing.Reasons.failsWith;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.hmacd.key.DaemonKey;
import dev.hmacd.testing.Caller;
import dev.hmacd.testing.DaemonProcess;
import dev.hmacd.testing.LoopbackDaemon;
import dev.hmacd.testing.SoftHsm;
import dev.hmacd.v1.CreateAccessKeyRequest;
import dev.hmacd.v1.CreateAccessKeyResponse;
import dev.hmacd.v1.KeySpec;
import io.grpc.Status.Code;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// The daemon derives no secrets from another key under the label and id of the access key master.
final class AccessKeyMasterTest {
  private static final String LABEL = DaemonKey.label(DaemonKey.Purpose.ACCESS_KEYS);
  private static final Pattern ID =
      Pattern.compile("label: +" + Pattern.quote(LABEL) + "\\n +ID: +([0-9a-f]+)");

  @TempDir private Path folder;

  private static CreateAccessKeyResponse accessKey(Caller admin) {
    return admin
        .accessKeys()
        .createAccessKey(
            CreateAccessKeyRequest.newBuilder().setPrincipal(LoopbackDaemon.arn("ci")).build());
  }

  @Test
  @Tag("slow")
  void replacedKeyDerivesNoSecrets() {
    SoftHsm hsm = SoftHsm.create(folder.resolve("softhsm2.conf"));
    var files = LoopbackDaemon.on(hsm).allowingAll("admin");
    DaemonProcess first = DaemonProcess.start(files, hsm, Map.of());
    assertThat(accessKey(first.as("admin")).getSecretAccessKey()).hasSize(40);
    assertThat(first.stopForRestart()).isZero();

    Matcher id = ID.matcher(hsm.list());
    assertThat(id.find()).isTrue();
    byte[] other = new byte[32];
    new SecureRandom().nextBytes(other);
    hsm.delete(LABEL);
    hsm.importKey(LABEL, id.group(1), other);

    try (DaemonProcess second = DaemonProcess.again(files, hsm)) {
      Caller admin = second.as("admin");
      assertThatThrownBy(() -> accessKey(admin))
          .satisfies(failsWith(Code.UNAVAILABLE, "TOKEN_UNAVAILABLE"));
      assertThat(second.output())
          .filteredOn(line -> line.contains("ERROR") && line.contains(LABEL))
          .hasSize(1);
      // Keys of callers are still served.
      assertThat(admin.generateMac(admin.createKey(KeySpec.KEY_SPEC_HMAC_256), "hello"))
          .hasSize(32);
    }
  }
}

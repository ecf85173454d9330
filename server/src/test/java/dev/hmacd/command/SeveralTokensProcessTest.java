package dev.hmacd.command;

import static dev.hmacd.testing.Reasons.failsWith;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.hmacd.testing.DaemonProcess;
import dev.hmacd.testing.LoopbackDaemon;
import dev.hmacd.testing.SoftHsm;
import dev.hmacd.v1.CreateKeyRequest;
import dev.hmacd.v1.KeySpec;
import io.grpc.Status.Code;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// `hmacd init` and `hmacd serve` with two tokens of one module.
@Tag("slow")
final class SeveralTokensProcessTest {
  private static final KeySpec SPEC = KeySpec.KEY_SPEC_HMAC_256;

  @TempDir Path folder;

  @Test
  void daemonStartsWithoutOneOfItsTokens() {
    SoftHsm one = SoftHsm.create(folder.resolve("softhsm2.conf"));
    SoftHsm other = one.another();
    LoopbackDaemon files =
        LoopbackDaemon.on(one)
            .allowingAll("admin")
            .alsoOn(one, one.module())
            .alsoOn(other, one.module());
    DaemonProcess first = DaemonProcess.start(files, one, Map.of());
    var before = first.as("admin");
    String onOne = before.createKey(SPEC);
    var named =
        CreateKeyRequest.newBuilder().setKeySpec(SPEC).setTokenSerial(other.serial()).build();
    String onOther = before.keys().createKey(named).getKeyMetadata().getKeyId();
    assertThat(before.generateMac(onOther, "message")).hasSize(32);
    assertThat(first.stopForRestart()).isZero();

    other.deleteToken();
    try (DaemonProcess second = DaemonProcess.again(files, one)) {
      assertThat(second.logs("Token not found; each operation searches")).isTrue();
      var admin = second.as("admin");
      assertThat(admin.generateMac(onOne, "message")).hasSize(32);
      assertThat(admin.createKey(SPEC)).isNotEmpty();
      assertThatThrownBy(() -> admin.generateMac(onOther, "message"))
          .satisfies(failsWith(Code.UNAVAILABLE, "TOKEN_UNAVAILABLE"));
    }
  }
}

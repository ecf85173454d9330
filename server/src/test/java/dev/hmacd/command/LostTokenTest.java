package dev.hmacd.command;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.hmacd.ExitCode;
import dev.hmacd.testing.DaemonProcess;
import dev.hmacd.testing.Eventually;
import dev.hmacd.testing.FaultModule;
import dev.hmacd.testing.LoopbackDaemon;
import dev.hmacd.testing.SoftHsm;
import dev.hmacd.testing.Storage;
import dev.hmacd.v1.KeySpec;
import io.grpc.StatusRuntimeException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// A daemon that has lost its token permanently.
@Tag("slow")
final class LostTokenTest {
  @TempDir Path folder;

  private DaemonProcess start(
      FaultModule module, SoftHsm hsm, String lostAfter, String exitWhenLost) {
    return DaemonProcess.start(
        LoopbackDaemon.on(hsm)
            .module(module.file())
            .allowingAll("admin")
            .token("probe_interval: 50ms")
            .token("lost_after: " + lostAfter)
            .token("exit_when_lost: " + exitWhenLost),
        hsm,
        Map.of());
  }

  @Test
  void daemonExitsIfExitWhenLostIsSet() {
    SoftHsm hsm = SoftHsm.create(folder.resolve("softhsm2.conf"));
    FaultModule module = FaultModule.inFrontOf(hsm);
    DaemonProcess daemon = start(module, hsm, "1s", "true");
    module.send("remove");
    assertThat(daemon.exitCode()).isEqualTo(ExitCode.TEMPORARY.code());
    assertThatThrownBy(daemon::close).hasMessageContaining("exited with status 75");
  }

  /// The module still computes MACs with session copies of keys.
  @Test
  void daemonExitsIfTheTokensStorageIsLost() {
    SoftHsm hsm = SoftHsm.create(folder.resolve("softhsm2.conf"));
    Storage storage = Storage.of(hsm);
    DaemonProcess daemon = start(FaultModule.inFrontOf(hsm), hsm, "1s", "true");
    storage.remove();
    assertThat(daemon.exitCode()).isEqualTo(ExitCode.TEMPORARY.code());
    assertThatThrownBy(daemon::close).hasMessageContaining("exited with status 75");
  }

  @Test
  void daemonRecoversIfExitWhenLostIsNotSet() {
    SoftHsm hsm = SoftHsm.create(folder.resolve("softhsm2.conf"));
    FaultModule module = FaultModule.inFrontOf(hsm);
    try (DaemonProcess daemon = start(module, hsm, "1s", "false")) {
      var admin = daemon.as("admin");
      String key = admin.createKey(KeySpec.KEY_SPEC_HMAC_256);
      byte[] mac = admin.generateMac(key, "hello");
      module.send("remove");
      Eventually.holds(
          "the loss is logged", () -> daemon.logs("Token lost for longer than lost_after"));
      assertThatThrownBy(() -> admin.generateMac(key, "hello"))
          .isInstanceOf(StatusRuntimeException.class)
          .hasMessageContaining("UNAVAILABLE");
      module.send("return");
      Eventually.holds(
          "the daemon serves",
          () -> {
            try {
              return Arrays.equals(admin.generateMac(key, "hello"), mac);
            } catch (StatusRuntimeException e) {
              return false;
            }
          });
    }
  }

  /// Each new process would try the PIN again, until the token locks it.
  @Test
  void refusedPinDoesNotEndTheDaemonAndSighupRetriesItOnce() {
    SoftHsm hsm = SoftHsm.create(folder.resolve("softhsm2.conf"));
    FaultModule module = FaultModule.inFrontOf(hsm);
    // lost_after is longer than a login on a busy machine.
    try (DaemonProcess daemon = start(module, hsm, "5m", "true")) {
      module.send("reset");
      module.send("fail C_Login all CKR_PIN_INCORRECT");
      Eventually.holds(
          "the PIN is refused",
          () -> {
            module.send("logout");
            return daemon.logs("PIN refused");
          });
      assertThat(module.count("C_Login")).isEqualTo(1);
      daemon.signal("HUP");
      Eventually.holds("the PIN is tried again", () -> module.count("C_Login") == 2);
      module.send("clear");
      daemon.signal("HUP");
      var admin = daemon.as("admin");
      Eventually.holds(
          "the daemon serves",
          () -> {
            try {
              return !admin.createKey(KeySpec.KEY_SPEC_HMAC_256).isEmpty();
            } catch (StatusRuntimeException e) {
              return false;
            }
          });
      assertThat(module.count("C_Login")).isEqualTo(3);
    }
  }
}

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

/// A process whose token does not come back.
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
  void daemonEndsForItsSupervisorWhenItIsToldTo() {
    SoftHsm hsm = SoftHsm.create(folder.resolve("softhsm2.conf"));
    FaultModule module = FaultModule.inFrontOf(hsm);
    DaemonProcess daemon = start(module, hsm, "1s", "true");
    module.tell("remove");
    assertThat(daemon.exitCode()).isEqualTo(ExitCode.TEMPORARY.code());
    assertThatThrownBy(daemon::close).hasMessageContaining("ended with 75");
  }

  /// The module answers as before, with copies of the keys.
  @Test
  void daemonEndsForItsSupervisorWhenTheTokensStorageIsGone() {
    SoftHsm hsm = SoftHsm.create(folder.resolve("softhsm2.conf"));
    Storage storage = Storage.of(hsm);
    DaemonProcess daemon = start(FaultModule.inFrontOf(hsm), hsm, "1s", "true");
    storage.takeAway();
    assertThat(daemon.exitCode()).isEqualTo(ExitCode.TEMPORARY.code());
    assertThatThrownBy(daemon::close).hasMessageContaining("ended with 75");
  }

  @Test
  void daemonStaysAndRecoversWhenItIsNot() {
    SoftHsm hsm = SoftHsm.create(folder.resolve("softhsm2.conf"));
    FaultModule module = FaultModule.inFrontOf(hsm);
    try (DaemonProcess daemon = start(module, hsm, "1s", "false")) {
      var admin = daemon.as("admin");
      String key = admin.createKey(KeySpec.KEY_SPEC_HMAC_256);
      byte[] mac = admin.generateMac(key, "hello");
      module.tell("remove");
      Eventually.holds("it says so", () -> daemon.logs("Token lost for longer than lost_after"));
      assertThatThrownBy(() -> admin.generateMac(key, "hello"))
          .isInstanceOf(StatusRuntimeException.class)
          .hasMessageContaining("UNAVAILABLE");
      module.tell("return");
      Eventually.holds(
          "it serves",
          () -> {
            try {
              return Arrays.equals(admin.generateMac(key, "hello"), mac);
            } catch (StatusRuntimeException e) {
              return false;
            }
          });
    }
  }

  /// A new process would try the PIN once more, and another, until it is locked.
  @Test
  void refusedPinNeverEndsTheDaemonAndSighupHasItTriedOnceMore() {
    SoftHsm hsm = SoftHsm.create(folder.resolve("softhsm2.conf"));
    FaultModule module = FaultModule.inFrontOf(hsm);
    // Not so soon that a login on a busy machine could take longer.
    try (DaemonProcess daemon = start(module, hsm, "5m", "true")) {
      module.tell("reset");
      module.tell("fail C_Login all CKR_PIN_INCORRECT");
      Eventually.holds(
          "the PIN is refused",
          () -> {
            module.tell("logout");
            return daemon.logs("PIN refused or not usable");
          });
      assertThat(module.count("C_Login")).isEqualTo(1);
      daemon.signal("HUP");
      Eventually.holds("once more", () -> module.count("C_Login") == 2);
      module.tell("clear");
      daemon.signal("HUP");
      var admin = daemon.as("admin");
      Eventually.holds(
          "it serves",
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

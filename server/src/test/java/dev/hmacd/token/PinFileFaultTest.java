package dev.hmacd.token;

import static dev.hmacd.testing.Reasons.failsWith;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.hmacd.ExitCode;
import dev.hmacd.StartException;
import dev.hmacd.key.DaemonKey;
import dev.hmacd.testing.Caller;
import dev.hmacd.testing.Eventually;
import dev.hmacd.testing.FaultModule;
import dev.hmacd.testing.LogWatch;
import dev.hmacd.testing.LoopbackDaemon;
import dev.hmacd.testing.SoftHsm;
import dev.hmacd.token.FaultyToken.Call;
import dev.hmacd.v1.KeySpec;
import io.grpc.Status.Code;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// The PIN file is unusable when the daemon logs in. The daemon does not ask the token, and
/// recovers by itself.
final class PinFileFaultTest {
  private static final Duration LONG = Duration.ofSeconds(30);

  @TempDir private Path folder;

  private final SoftHsm hsm = SoftHsm.shared();
  private final FaultModule module = FaultModule.inFrontOf(hsm);
  private final LogWatch log = LogWatch.start();
  private final LoopbackDaemon daemon =
      LoopbackDaemon.on(hsm)
          .allowingSocket()
          .wrapping(_ -> token())
          .token("lanes: 2")
          .token("probe_interval: 50ms")
          // Longer than the scheduling delay of a thread on a busy machine.
          .token("probe_timeout: 3s");

  /// Faults of a PIN file, with a part of the error text.
  enum FileFault {
    MISSING("no such file") {
      @Override
      void cause(Path pin) throws IOException {
        Files.delete(pin);
      }
    },
    EMPTY("is empty") {
      @Override
      void cause(Path pin) throws IOException {
        Files.writeString(pin, "\n");
      }
    },
    TOO_LONG("is longer than 1024 bytes") {
      @Override
      void cause(Path pin) throws IOException {
        Files.writeString(pin, "1".repeat(2000));
      }
    },
    NOT_UTF_8("is not UTF-8") {
      @Override
      void cause(Path pin) throws IOException {
        Files.write(pin, new byte[] {(byte) 0xff});
      }
    },
    READABLE_BY_OTHERS("others have permission r on ") {
      @Override
      void cause(Path pin) throws IOException {
        Files.setPosixFilePermissions(pin, PosixFilePermissions.fromString("rw----r--"));
      }
    },
    WRITABLE_BY_OTHERS("others have permission w on ") {
      @Override
      void cause(Path pin) throws IOException {
        Files.setPosixFilePermissions(pin, PosixFilePermissions.fromString("rw-----w-"));
      }
    },
    FOLDER("is a folder") {
      @Override
      void cause(Path pin) throws IOException {
        Files.delete(pin);
        Files.createDirectory(pin);
      }
    };

    private final String reason;

    FileFault(String reason) {
      this.reason = reason;
    }

    abstract void cause(Path pin) throws IOException;
  }

  private Path pin() {
    return folder.resolve("pin");
  }

  /// Writes the PIN file in one step, so that the daemon never reads a part of it.
  @BeforeEach
  void writePin() throws IOException {
    Path complete = folder.resolve("pin.new");
    Files.createFile(
        complete,
        PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
    Files.writeString(complete, hsm.pin() + "\n");
    if (Files.isDirectory(pin())) {
      Files.delete(pin());
    }
    Files.move(complete, pin(), StandardCopyOption.ATOMIC_MOVE);
  }

  @AfterEach
  void close() {
    daemon.close();
    log.close();
  }

  private Pkcs11Token token() {
    try {
      return Pkcs11Token.find(
          module.file(),
          new TokenSelector.ByLabel(hsm.label()),
          new PinFile(pin()),
          new Pkcs11Token.Use(true, false));
    } catch (TokenException e) {
      throw new IllegalStateException(e);
    }
  }

  private void awaitHealthy(int healthy) {
    Eventually.holds(
        "hmacd_token_healthy is " + healthy, () -> daemon.metric("hmacd_token_healthy") == healthy);
  }

  @ParameterizedTest
  @EnumSource
  void daemonRecoversByItselfWhenThePinFileIsBack(FileFault fault) throws IOException {
    Caller caller = daemon.start().onSocket();
    String key = caller.createKey(KeySpec.KEY_SPEC_HMAC_256);
    byte[] mac = caller.generateMac(key, "hello");
    fault.cause(pin());
    module.send("reset");
    module.send("invalidate sessions"); // The last session ends the login.
    Eventually.holds(
        "the token is out of service",
        () -> {
          module.send("logout");
          return daemon.metric("hmacd_token_healthy") == 0;
        });
    assertThatThrownBy(() -> caller.generateMac(key, "hello"))
        .satisfies(failsWith(Code.UNAVAILABLE, "TOKEN_UNAVAILABLE"));
    assertThat(log.lines("ERROR PIN file not usable", pin().toString(), fault.reason)).hasSize(1);
    assertThat(log.count("PIN refused")).isZero();
    assertThat(daemon.metric("hmacd_token_pin_refused")).isZero();
    assertThat(module.count("C_Login")).isZero();
    writePin();
    awaitHealthy(1);
    assertThat(caller.generateMac(key, "hello")).isEqualTo(mac);
    // A token logs out with its last session, so a second login is possible.
    assertThat(module.count("C_Login")).isBetween(1L, 2L);
  }

  @ParameterizedTest
  @EnumSource
  void startWithAnUnusablePinFileNeedsAnOperator(FileFault fault) throws IOException {
    fault.cause(pin());
    assertThatThrownBy(daemon::open)
        .cause()
        .isInstanceOfSatisfying(
            StartException.class,
            e -> {
              assertThat(e.exitCode()).isEqualTo(ExitCode.CONFIG);
              assertThat(e)
                  .hasMessageContaining(pin().toString())
                  .hasMessageContaining(fault.reason);
            });
    assertThat(module.count("C_Login")).isZero();
  }

  private static TokenPool.Use use(Token token) {
    return new TokenPool.Use(
        token,
        new TokenPool.Settings(
            new Lanes.Settings(1, 10, LONG, 0, LONG), new HealthCheck.Settings(LONG, LONG, LONG)));
  }

  private static TokenPool pool(Token... tokens) {
    return new TokenPool(
        List.of(tokens).stream().map(PinFileFaultTest::use).toList(),
        _ -> LaneObserver.NONE,
        new TokenPool.Listener() {
          @Override
          public void healthy(boolean is) {}

          @Override
          public void lost() {}

          @Override
          public void inService(String serial) {}
        });
  }

  @Test
  void tokenWithAnUnusablePinFileDoesNotBlockTheStartAndRecovers() throws Exception {
    DaemonKey probe;
    try (TokenSession session = hsm.token().open()) {
      probe = Provisioning.ensure(session, DaemonKey.Purpose.PROBE, Optional.empty());
    }
    Token away = token();
    Token other = hsm.token();
    Files.delete(pin());
    try (TokenPool pool = pool(away, other)) {
      pool.start();
      assertThat(away.circuit().isInService()).isFalse();
      assertThat(away.circuit().isPinRefused()).isFalse();
      assertThat(other.circuit().isInService()).isTrue();
      pool.startProbes(Map.of(hsm.serial(), probe));
      writePin();
      Eventually.holds("the token is in service", () -> away.circuit().isInService());
      pool.stopProbes();
    }
  }

  /// The other token may open a session at a later start, so a supervisor must restart the daemon.
  @Test
  void failureOfAnotherTokenIsTheErrorOfAFailedStart() throws IOException {
    Token away = token();
    var failing = new FaultyToken(hsm.token());
    Files.delete(pin());
    for (Token[] order : new Token[][] {{away, failing}, {failing, away}}) {
      failing.failing(Call.OPEN, 1, FaultyToken.CKR_DEVICE_REMOVED);
      assertThatThrownBy(() -> pool(order).start())
          .isInstanceOfSatisfying(
              TokenException.class, e -> assertThat(e.needsOperator()).isFalse());
    }
  }
}

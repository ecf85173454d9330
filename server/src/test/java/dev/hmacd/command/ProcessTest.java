package dev.hmacd.command;

import static dev.hmacd.testing.Reasons.failsWith;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.hmacd.testing.Caller;
import dev.hmacd.testing.ChildDaemon;
import dev.hmacd.testing.ChildDaemon.Result;
import dev.hmacd.v1.KeyListEntry;
import dev.hmacd.v1.KeySpec;
import dev.hmacd.v1.ListKeysRequest;
import io.grpc.Status.Code;
import java.io.IOException;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.PathMatcher;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Exit codes, output and files of `hmacd` processes.
@Tag("slow")
final class ProcessTest {
  private static final int TEMPORARY = 75;
  private static final int CONFIG = 78;

  private final ChildDaemon daemon = ChildDaemon.blank();

  @AfterEach
  void close() {
    daemon.close();
  }

  private void init() {
    assertThat(daemon.run("init").exitCode()).isZero();
  }

  @Test
  void secondInitChangesNothing() {
    Result first = daemon.run("init");
    assertThat(first.exitCode()).as(first.output()).isZero();
    assertThat(first.output()).contains("are on the token");
    Result second = daemon.run("init");
    assertThat(second.exitCode()).as(second.output()).isZero();
    assertThat(second.output()).contains("nothing was changed");
    assertThat(probeObjects()).isEqualTo(1);
  }

  @Test
  void heapTooSmallForTheBoundsIsReported() {
    daemon.configure("queue: 1000000");
    init();
    String text = "Heap too small for the configured bounds";
    assertThat(daemon.run("check").output()).contains("heap", text, "lower token.queue");
    daemon.serve();
    assertThat(daemon.output()).contains(text);
  }

  private long probeObjects() {
    return daemon.hsm().list().lines().filter(line -> line.contains("hmacd/own/probe")).count();
  }

  @Test
  void initWithAnotherRegistryReusesTheProbeKey() throws IOException {
    init();
    for (String name : List.of("registry.db", "registry.db-wal", "registry.db-shm")) {
      Files.deleteIfExists(daemon.folder().resolve(name));
    }
    assertThat(daemon.run("init", "--new-registry").exitCode()).isZero();
    assertThat(probeObjects()).isEqualTo(1);
    daemon.serve();
  }

  @Test
  void serveWithoutInitNamesTheRemedyAndCreatesNoKey() {
    Result serve = daemon.run("serve");
    assertThat(serve.exitCode()).as(serve.output()).isEqualTo(CONFIG);
    assertThat(serve.output()).contains("run hmacd init");
    assertThat(probeObjects()).isZero();
  }

  @Test
  void probeKeyWithAnotherAnswerFailsInitAndPreventsServing() throws SQLException {
    init();
    try (Connection database = daemon.database();
        Statement statement = database.createStatement()) {
      // Changes the first digit of the probe key's answer, and no other own key.
      int changed =
          statement.executeUpdate(
              """
              UPDATE own_keys
              SET known_answer =
                CASE substr(known_answer, 1, 1) WHEN '0' THEN '1' ELSE '0' END
                  || substr(known_answer, 2)
              WHERE purpose = 'PROBE'
              """);
      assertThat(changed).isEqualTo(1);
    }
    Result init = daemon.run("init");
    assertThat(init.exitCode()).isEqualTo(TEMPORARY);
    assertThat(init.output()).contains("the MAC differs from the known answer");
    daemon.start("NOT_SERVING", "dev.hmacd.Hmacd", "serve", "--config", daemon.config().toString());
  }

  @ParameterizedTest
  @ValueSource(strings = {"serve", "init"})
  void refusedPinIsTriedOnce(String command) throws IOException {
    init();
    spy();
    daemon.write("pin", "000000\n");
    Result refused = daemon.run(command);
    assertThat(refused.exitCode()).as(refused.output()).isEqualTo(CONFIG);
    assertThat(refused.output()).contains("CKR_PIN_INCORRECT").doesNotContain("000000");
    assertThat(logins()).isEqualTo(1);
  }

  @Test
  void fourLanesLogInOnce() throws IOException {
    init();
    spy();
    daemon.serve();
    Caller caller = daemon.caller();
    String key = caller.createKey(KeySpec.KEY_SPEC_HMAC_256);
    IntStream.range(0, 200).parallel().forEach(_ -> caller.generateMac(key, "hello"));
    assertThat(daemon.stop()).isZero();
    assertThat(logins()).isEqualTo(1);
  }

  /// Configures OpenSC's `pkcs11-spy` between the daemon and the token.
  private void spy() {
    daemon.environment("PKCS11SPY", daemon.hsm().module().toString());
    daemon.environment("PKCS11SPY_OUTPUT", spyLog().toString());
    daemon.configure(spyModule(), "lanes: 4");
  }

  private Path spyLog() {
    return daemon.folder().resolve("spy.log");
  }

  private long logins() throws IOException {
    try (var lines = Files.lines(spyLog())) {
      return lines.filter(line -> line.matches("\\d+: C_Login")).count();
    }
  }

  private static Path spyModule() {
    PathMatcher spy =
        FileSystems.getDefault().getPathMatcher("glob:/usr/lib/{,*/}{,pkcs11/}pkcs11-spy.so");
    try (var files = Files.find(Path.of("/usr/lib"), 3, (path, _) -> spy.matches(path))) {
      return files.findFirst().orElseThrow(() -> new AssertionError("opensc-pkcs11 is missing"));
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }

  @Test
  void secondDaemonIsRefusedAndTheFirstContinues() {
    init();
    daemon.serve();
    String key = daemon.caller().createKey(KeySpec.KEY_SPEC_HMAC_256);
    Result second = daemon.run("serve");
    assertThat(second.exitCode()).as(second.output()).isEqualTo(TEMPORARY);
    assertThat(second.output()).contains("another daemon uses the registry");
    Result init = daemon.run("init");
    assertThat(init.exitCode()).as(init.output()).isEqualTo(TEMPORARY);
    assertThat(daemon.newCaller().generateMac(key, "hello")).hasSize(32);
  }

  @Test
  void stopRemovesTheSocketAndTheNextStartHasAllKeys() {
    init();
    daemon.serve();
    String key = daemon.caller().createKey(KeySpec.KEY_SPEC_HMAC_512);
    assertThat(daemon.stop()).isZero();
    assertThat(daemon.folder().resolve("hmacd.sock")).doesNotExist();
    daemon.serve();
    assertThat(
            daemon.newCaller().keys().listKeys(ListKeysRequest.getDefaultInstance()).getKeysList())
        .extracting(KeyListEntry::getKeyId)
        .containsExactly(key);
  }

  @Test
  void stopDuringAFailingStartIsAStop() {
    init();
    daemon.start("AT THE GATE", StoppedWhileStarting.class.getName(), daemon.config().toString());
    assertThat(daemon.stop()).as(daemon.output()).isZero();
    assertThat(daemon.output()).contains("SHUTDOWN HAS BEGUN").doesNotContain("Exception");
  }

  @Test
  void fullDiskRefusesOnlyChanges() throws Exception {
    init();
    daemon.serve();
    Caller caller = daemon.caller();
    String key = caller.createKey(KeySpec.KEY_SPEC_HMAC_256);
    assertThat(caller.generateMac(key, "hello")).hasSize(32); // In memory from now on.
    limitFiles("1");
    for (int i = 0; i < 3; i++) {
      assertThatThrownBy(() -> caller.createKey(KeySpec.KEY_SPEC_HMAC_256))
          .satisfies(failsWith(Code.UNAVAILABLE, "REGISTRY_UNAVAILABLE"));
      assertThatThrownBy(() -> caller.createAlias("alias/full", key))
          .satisfies(failsWith(Code.UNAVAILABLE, "REGISTRY_UNAVAILABLE"));
      assertThat(caller.generateMac(key, "hello")).hasSize(32);
    }
    limitFiles("unlimited");
    String later = caller.createKey(KeySpec.KEY_SPEC_HMAC_256);
    caller.createAlias("alias/full", later);
    daemon.kill();
    daemon.serve();
    assertThat(daemon.awaitConsistentObjects())
        .isEqualTo(Set.of("hmacd/key/" + key + "/1", "hmacd/key/" + later + "/1"));
    assertThat(daemon.caller().generateMac("alias/full", "hello")).hasSize(32);
  }

  /// Limits the size of all files of the process: the effect of a full disk on this process only.
  private void limitFiles(String bytes) throws Exception {
    Process limit =
        new ProcessBuilder(
                "prlimit", "--pid", Long.toString(daemon.process().pid()), "--fsize=" + bytes + ":")
            .inheritIO()
            .start();
    assertThat(limit.waitFor(2, TimeUnit.MINUTES)).isTrue();
    assertThat(limit.exitValue()).isZero();
  }
}

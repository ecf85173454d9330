package dev.hmacd.command;

import static org.assertj.core.api.Assertions.assertThat;

import dev.hmacd.testing.ChildDaemon;
import dev.hmacd.testing.ChildDaemon.Result;
import dev.hmacd.testing.SoftHsm;
import dev.hmacd.v1.KeySpec;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Loss of the registry, or of keys on the token.
@Tag("slow")
final class LostRegistryTest {
  private static final int CONFIG = 78;
  private static final List<String> FILES =
      List.of("registry.db", "registry.db-wal", "registry.db-shm");

  private final ChildDaemon daemon = ChildDaemon.blank();

  @AfterEach
  void close() {
    daemon.close();
  }

  private Result succeeds(String command, String... options) {
    Result result = daemon.run(command, options);
    assertThat(result.exitCode()).as(result.output()).isZero();
    return result;
  }

  private void fails(String command, String... texts) {
    Result result = daemon.run(command);
    assertThat(result.exitCode()).as(result.output()).isEqualTo(CONFIG);
    assertThat(result.output()).contains(texts);
  }

  /// Moves the files of the registry to another folder.
  ///
  /// @return the other folder
  private Path loseRegistry() throws IOException {
    Path away = Files.createDirectory(daemon.folder().resolve("away"));
    for (String name : FILES) {
      Path file = daemon.folder().resolve(name);
      if (Files.exists(file)) {
        Files.move(file, away.resolve(name));
      }
    }
    return away;
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void lostRegistryIsDetectedByKeysOnTheToken(boolean emptyFile) throws IOException {
    succeeds("init");
    daemon.serve();
    String key = daemon.caller().createKey(KeySpec.KEY_SPEC_HMAC_256);
    assertThat(daemon.stop()).isZero();
    Path away = loseRegistry();
    if (emptyFile) {
      daemon.write("registry.db", "");
    }
    String objects = daemon.hsm().list();

    for (String command : List.of("serve", "check", "init", "serve", "init", "check")) {
      // Two own keys, and one key of a caller.
      fails(command, "is new", "holds 3 keys of hmacd", "restore the backup", "--new-registry");
    }
    assertThat(daemon.hsm().list()).isEqualTo(objects);

    for (String name : FILES) {
      Files.deleteIfExists(daemon.folder().resolve(name));
      if (Files.exists(away.resolve(name))) {
        Files.move(
            away.resolve(name), daemon.folder().resolve(name), StandardCopyOption.REPLACE_EXISTING);
      }
    }
    assertThat(succeeds("init").output()).contains("nothing was changed");
    daemon.serve();
    assertThat(daemon.newCaller().generateMac(key, "hello")).hasSize(32);
  }

  @Test
  void newRegistryIsCreatedOnRequest() throws IOException {
    succeeds("init");
    var _ = loseRegistry();
    String objects = daemon.hsm().list();
    succeeds("init", "--new-registry");
    assertThat(daemon.hsm().list()).isEqualTo(objects);
    succeeds("init");
    daemon.serve();
    assertThat(daemon.newCaller().createKey(KeySpec.KEY_SPEC_HMAC_256)).isNotEmpty();
  }

  @Test
  void keysOfOtherProgramsDoNotPreventInit() {
    daemon.hsm().importKey("billing", SoftHsm.freshId(), new byte[32]);
    daemon.hsm().importKey("hmacd", SoftHsm.freshId(), new byte[32]);
    daemon.hsm().importKey("not/hmacd/own/probe", SoftHsm.freshId(), new byte[32]);
    Result serve = daemon.run("serve");
    assertThat(serve.exitCode()).isEqualTo(CONFIG);
    assertThat(serve.output()).contains("run hmacd init").doesNotContain("--new-registry");
    succeeds("init");
    daemon.serve();
  }

  /// A token that was initialized again can keep its serial number.
  @Test
  void tokenWithoutTheRegisteredKeysIsUnchanged() {
    succeeds("init");
    for (String own : List.of("hmacd/own/probe", "hmacd/own/access_keys")) {
      daemon.hsm().delete(own);
    }
    fails("init", "the token holds no key of hmacd", "Restore the backup of the token");
    assertThat(daemon.hsm().list()).doesNotContain("hmacd/own/");
    Result check = daemon.run("check");
    assertThat(check.exitCode()).as(check.output()).isEqualTo(1);
    assertThat(check.output()).contains("holds no key of hmacd", "restore the token's backup");
  }

  @Test
  void lostKeyOfAccessKeysIsCreatedAgainOnlyOnRequest() {
    succeeds("init");
    daemon.hsm().delete("hmacd/own/access_keys");
    fails("init", "lacks hmacd/own/access_keys", "--discard-access-keys");
    assertThat(daemon.hsm().list()).doesNotContain("hmacd/own/access_keys");
    succeeds("init", "--discard-access-keys", daemon.hsm().serial());
    assertThat(daemon.hsm().list()).contains("hmacd/own/access_keys");
  }

  @Test
  void lostProbeKeyIsCreatedAgain() {
    succeeds("init");
    daemon.hsm().delete("hmacd/own/probe");
    succeeds("init");
    assertThat(daemon.hsm().list()).contains("hmacd/own/probe");
    daemon.serve();
  }
}

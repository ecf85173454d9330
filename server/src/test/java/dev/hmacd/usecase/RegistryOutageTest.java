package dev.hmacd.usecase;

import static dev.hmacd.testing.Reasons.failsWith;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.hmacd.testing.Caller;
import dev.hmacd.testing.Eventually;
import dev.hmacd.testing.LogWatch;
import dev.hmacd.testing.LoopbackDaemon;
import dev.hmacd.v1.KeySpec;
import io.grpc.Status.Code;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/// A daemon whose registry is away for a time.
@Tag("slow")
final class RegistryOutageTest {
  private static final String FAILURE = "The registry cannot be read or written";

  private final LoopbackDaemon daemon = LoopbackDaemon.withAdmin().start();
  private final LogWatch log = LogWatch.start();

  @AfterEach
  void close() {
    log.close();
    daemon.close();
  }

  private static void move(Path from, Path to, String... names) throws IOException {
    for (String name : names) {
      if (Files.exists(from.resolve(name))) {
        Files.move(from.resolve(name), to.resolve(name));
      }
    }
  }

  @Test
  void macsContinueAndTheOutageIsVisible() throws IOException {
    Caller admin = daemon.as("admin");
    String key = admin.createKey(KeySpec.KEY_SPEC_HMAC_256);
    byte[] mac = admin.generateMac(key, "hello");
    assertThat(daemon.metric("hmacd_registry_healthy")).isOne();

    Path away = Files.createDirectory(daemon.folder().resolve("away"));
    long start = System.nanoTime();
    move(daemon.folder(), away, "registry.db", "registry.db-wal", "registry.db-shm");
    // The check for due deletions detects the outage without a caller.
    Eventually.holds(
        "the registry is not healthy", () -> daemon.metric("hmacd_registry_healthy") == 0);
    assertThat(admin.generateMac(key, "hello")).isEqualTo(mac);
    for (int i = 0; i < 20; i++) {
      assertThatThrownBy(() -> admin.createKey(KeySpec.KEY_SPEC_HMAC_256))
          .satisfies(failsWith(Code.UNAVAILABLE, "REGISTRY_UNAVAILABLE"));
    }
    long seconds = Duration.ofNanos(System.nanoTime() - start).toSeconds();
    assertThat(log.count(FAILURE)).isBetween(1L, 1 + seconds / 10);
    assertThat(log.count(FAILURE, "] null")).as("lines without a stack trace").isPositive();
    assertThat(log.count("Check for due key deletions failed")).isZero();

    // The database last: the daemon opens it as soon as it is back.
    move(away, daemon.folder(), "registry.db-shm", "registry.db-wal", "registry.db");
    // Changes have failed, so the next check writes.
    Eventually.holds("the registry is healthy", () -> daemon.metric("hmacd_registry_healthy") == 1);
    assertThat(admin.createKey(KeySpec.KEY_SPEC_HMAC_256)).isNotEmpty();
    assertThat(admin.generateMac(key, "hello")).isEqualTo(mac);
  }
}

package dev.hmacd.registry;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.hmacd.key.ArnScope;
import dev.hmacd.key.DaemonKey;
import dev.hmacd.key.KeyObject;
import dev.hmacd.limit.Owner;
import dev.hmacd.testing.LogWatch;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Clock;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Health of the registry, with a file that is away, or that cannot be written.
final class RegistryHealthTest {
  private static final String FAILURE = "The registry cannot be read or written";
  private static final String RECOVERY = "The registry can be read and written again";
  private static final List<String> FILES =
      List.of("registry.db", "registry.db-wal", "registry.db-shm");
  private static final DaemonKey OWN =
      new DaemonKey(DaemonKey.Purpose.PROBE, new KeyObject("hmacd/own/probe", "0a"), "ff00");

  @TempDir Path folder;

  @TempDir Path away;

  private final LogWatch log = LogWatch.start();

  @SuppressWarnings("NullAway.Init") // open() sets it.
  private Registry registry;

  @BeforeEach
  void open() {
    registry =
        new Registry(
            folder.resolve("registry.db"),
            new ArnScope("aws", "eu-central-1", "123456789012"),
            Clock.systemUTC());
    registry.open();
  }

  @AfterEach
  void close() {
    registry.close();
    log.close();
  }

  private static <T> T get(CompletableFuture<T> future) throws Exception {
    return future.get(120, TimeUnit.SECONDS);
  }

  private static void assertFails(CompletableFuture<?> future) {
    assertThatThrownBy(() -> get(future))
        .isInstanceOf(ExecutionException.class)
        .cause()
        .isInstanceOfSatisfying(
            RegistryException.class, e -> assertThat(e.isFileFailure()).isTrue());
  }

  private CompletableFuture<?> read() {
    return registry.lists().listKeys("", 10);
  }

  private CompletableFuture<?> change() {
    return registry.ownKeys().put("serial", OWN);
  }

  /// The check for due deletions.
  private CompletableFuture<?> scan() {
    return registry.writer().condemnDue(10);
  }

  private static void move(Path from, Path to) throws IOException {
    for (String name : FILES) {
      if (Files.exists(from.resolve(name))) {
        Files.move(from.resolve(name), to.resolve(name));
      }
    }
  }

  private Connection connect() throws SQLException {
    return DriverManager.getConnection("jdbc:sqlite:" + folder.resolve("registry.db"));
  }

  private long revision() throws SQLException {
    try (Connection other = connect();
        Statement statement = other.createStatement();
        var rows = statement.executeQuery("SELECT revision FROM registry")) {
      return rows.getLong(1);
    }
  }

  @Test
  void registryIsHealthyAfterItsFileIsBack() throws Exception {
    var _ = get(change());
    assertThat(registry.isHealthy()).isTrue();
    move(folder, away);
    assertFails(read());
    assertThat(registry.isHealthy()).isFalse();
    assertFails(scan());
    assertThat(registry.isHealthy()).isFalse();
    assertThat(log.lines(RECOVERY)).isEmpty();

    move(away, folder);
    var _ = get(read());
    assertThat(registry.isHealthy()).isTrue();
    assertThat(log.lines(RECOVERY)).hasSize(1);
  }

  @Test
  void failuresAreLoggedAtALimitedRateWithoutStackTraces() throws Exception {
    move(folder, away);
    long start = System.nanoTime();
    for (int i = 0; i < 100; i++) {
      assertFails(i % 2 == 0 ? read() : change());
    }
    long seconds = Duration.ofNanos(System.nanoTime() - start).toSeconds();
    assertThat(log.count(FAILURE, "reason=", "] null")).isBetween(1L, 1 + seconds / 10);
    assertThat(log.count(FAILURE)).isBetween(1L, 1 + seconds / 10);
    move(away, folder);
  }

  /// The lock of another process has the effect of a full disk: changes fail, and reads succeed.
  @Test
  void readDoesNotProveThatTheFileCanBeWritten() throws Exception {
    try (Connection other = connect();
        Statement statement = other.createStatement()) {
      statement.execute("BEGIN IMMEDIATE");
      assertFails(change());
      var _ = get(read());
      assertThat(registry.isHealthy()).isFalse();
      assertFails(scan());
      assertThat(registry.isHealthy()).isFalse();
      statement.execute("ROLLBACK");
    }
    var _ = get(read());
    assertThat(registry.isHealthy()).isFalse();
    var _ = get(scan());
    assertThat(registry.isHealthy()).isTrue();
  }

  @Test
  void refusedChangeIsNoFailure() {
    assertThatThrownBy(
            () -> get(registry.accessKeys().disable(Owner.of("issuer", "owner"), "absent")))
        .cause()
        .isInstanceOfSatisfying(
            RegistryException.class, e -> assertThat(e.isFileFailure()).isFalse());
    assertThat(registry.isHealthy()).isTrue();
    assertThat(log.count(FAILURE)).isZero();
  }

  @Test
  void scanThatFindsNothingDoesNotWrite() throws Exception {
    long before = revision();
    for (int i = 0; i < 3; i++) {
      var _ = get(scan());
    }
    assertThat(revision()).isEqualTo(before);
    var _ = get(change());
    assertThat(revision()).isEqualTo(before + 1);
  }
}

package dev.hmacd.registry;

import static org.assertj.core.api.Assertions.assertThat;

import dev.hmacd.key.ArnScope;
import dev.hmacd.key.Key;
import dev.hmacd.key.KeyId;
import dev.hmacd.key.KeyObject;
import dev.hmacd.key.KeyState;
import dev.hmacd.testing.Lookups;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Clock;
import java.util.Objects;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// A registry of schema 4, as the newest schema reads it.
final class MigrationTest {
  private static final ArnScope SCOPE = new ArnScope("aws", "eu-central-1", "123456789012");
  private static final KeyId CREATING = KeyId.random();
  private static final KeyId ENABLED = KeyId.random();

  @TempDir Path folder;

  @BeforeEach
  void createSchema4() throws IOException, SQLException {
    try (Connection connection = DriverManager.getConnection("jdbc:sqlite:" + file());
        Statement statement = connection.createStatement()) {
      for (int version = 1; version <= 4; version++) {
        for (String sql : script(version).split(";", -1)) {
          if (!sql.isBlank()) {
            statement.execute(sql);
          }
        }
      }
      insert(statement, CREATING, "CREATING");
      insert(statement, ENABLED, "ENABLED");
      statement.execute("INSERT INTO aliases VALUES ('alias/orders', '" + ENABLED + "', 1, 2)");
      statement.execute("INSERT INTO registry VALUES (1, 7, '" + SCOPE.prefix() + "')");
      statement.execute("PRAGMA user_version=4");
    }
  }

  private Path file() {
    return folder.resolve("registry.db");
  }

  private static String script(int version) throws IOException {
    String name = "V" + version + ".sql";
    try (InputStream in = Objects.requireNonNull(Database.class.getResourceAsStream(name))) {
      return new String(in.readAllBytes(), StandardCharsets.UTF_8).replaceAll("(?m)--.*$", "");
    }
  }

  private static void insert(Statement statement, KeyId id, String state) throws SQLException {
    statement.execute(
        "INSERT INTO keys (key_id, spec, state, origin, created_ms, description, version)"
            + (" VALUES ('" + id + "', 'HMAC_256', '" + state + "', 'GENERATED', 1, 'd', 1)"));
    statement.execute(
        "INSERT INTO key_versions"
            + " (key_id, version, token_serial, object_label, object_id, attributes_read)"
            + (" VALUES ('" + id + "', 1, 'serial', 'label of " + id + "', '0a', FALSE)"));
  }

  private Registry open() {
    var registry = new Registry(file(), SCOPE, Clock.systemUTC());
    registry.open();
    return registry;
  }

  @Test
  void keyInCreationHasNoOwnerAndIsAtItsFirstAttempt() {
    try (Registry registry = open()) {
      Key key = Lookups.find(registry, CREATING).orElseThrow();
      assertThat(registry.lists().creating().join()).containsExactly(new CreatingKey(key, null, 1));
    }
  }

  @Test
  void keysAndAliasesAreTheSame() {
    try (Registry registry = open()) {
      Key key = Lookups.find(registry, "alias/orders").orElseThrow();
      assertThat(key.id()).isEqualTo(ENABLED);
      assertThat(key.state()).isEqualTo(KeyState.ENABLED);
      assertThat(key.object()).isEqualTo(new KeyObject("label of " + ENABLED, "0a"));
      assertThat(Lookups.all(registry)).hasSize(2);
    }
  }

  @Test
  void keyInCreationCanBeAbandoned() {
    try (Registry registry = open()) {
      registry.writer().abandon(CREATING).join();
      assertThat(registry.lists().creating().join()).isEmpty();
      assertThat(Lookups.find(registry, CREATING)).isEmpty();
    }
  }
}

package dev.hmacd.registry;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.hmacd.key.AccessKey;
import dev.hmacd.key.Alias;
import dev.hmacd.key.ArnScope;
import dev.hmacd.key.DaemonKey;
import dev.hmacd.key.Key;
import dev.hmacd.key.KeyAttributes;
import dev.hmacd.key.KeyCheckValue;
import dev.hmacd.key.KeyId;
import dev.hmacd.key.KeyObject;
import dev.hmacd.key.KeyOrigin;
import dev.hmacd.key.KeySpec;
import dev.hmacd.key.KeyState;
import dev.hmacd.key.KeyVersion;
import dev.hmacd.key.Placement;
import dev.hmacd.key.Tag;
import dev.hmacd.limit.Owner;
import dev.hmacd.registry.cache.EntryName;
import dev.hmacd.registry.cache.EntryName.Kind;
import dev.hmacd.testing.Lookups;
import dev.hmacd.testing.SettableClock;
import java.io.IOException;
import java.lang.reflect.Method;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// The log of changes, and the timeline of a registry.
final class ChangeLogTest {
  private static final ArnScope SCOPE = new ArnScope("aws", "eu-central-1", "123456789012");
  private static final Instant NOW = Instant.parse("2026-01-02T03:04:05Z");
  private static final KeyAttributes READ =
      new KeyAttributes(true, false, true, null, false, true, 32);
  private static final Owner OWNER = new Owner("123456789012", "issuer", "principal");

  @TempDir Path folder;
  private final SettableClock clock = new SettableClock(NOW);
  private final List<Registry> opened = new ArrayList<>();
  private Registry registry;

  @SuppressWarnings("NullAway.Init") // It is there from openFirst() on.
  ChangeLogTest() {}

  @BeforeEach
  void openFirst() {
    registry = open();
  }

  @AfterEach
  void close() {
    opened.forEach(Registry::close);
  }

  private Path file() {
    return folder.resolve("registry.db");
  }

  private Registry open() {
    var fresh = new Registry(file(), SCOPE, clock);
    opened.add(fresh);
    fresh.open();
    return fresh;
  }

  private static Key key(KeyId id) {
    return new Key(
        id,
        KeySpec.HMAC_256,
        KeyState.CREATING,
        KeyOrigin.GENERATED,
        NOW,
        "description",
        null,
        new KeyVersion(1, new Placement(KeyObject.of(id, 1), List.of("serial")), null, null),
        Set.of());
  }

  private Key make() {
    Key made = registry.writer().insert(key(KeyId.random()), List.of()).join();
    return registry.writer().enable(made.id(), READ, null).join();
  }

  private static KeyCheckValue check(KeyId id) {
    return KeyCheckValue.of(id, 1, KeySpec.HMAC_256.algorithm(), new byte[32]);
  }

  /// Rows of the tables, without those of the log.
  private Set<List<String>> rows() throws SQLException {
    Set<List<String>> all = new HashSet<>();
    for (String table :
        List.of(
            "keys", "key_versions", "key_copies", "tags", "aliases", "access_keys", "own_keys")) {
      query(
          "SELECT * FROM " + table,
          row -> {
            List<String> values = new ArrayList<>(List.of(table));
            for (int i = 1; i <= row.getMetaData().getColumnCount(); i++) {
              values.add(String.valueOf(row.getString(i)));
            }
            all.add(values);
          });
    }
    return all;
  }

  private interface RowConsumer {
    void accept(ResultSet row) throws SQLException;
  }

  private void query(String sql, RowConsumer consumer) throws SQLException {
    try (Connection other = DriverManager.getConnection("jdbc:sqlite:" + file());
        Statement statement = other.createStatement();
        ResultSet rows = statement.executeQuery(sql)) {
      while (rows.next()) {
        consumer.accept(rows);
      }
    }
  }

  private static EntryName entry(Kind kind, String id) {
    return new EntryName(kind, SCOPE.account(), id);
  }

  /// The entries of a row of [#rows]: the alias of a key is a part of the key, too.
  private static Stream<EntryName> entries(List<String> row) {
    String id = row.get(1);
    return switch (row.getFirst()) {
      case "aliases" -> Stream.of(entry(Kind.ALIAS, id), entry(Kind.KEY, row.get(2)));
      case "access_keys" -> Stream.of(entry(Kind.ACCESS_KEY, id));
      case "own_keys" -> Stream.of(entry(Kind.OWN_KEYS, id));
      default -> Stream.of(entry(Kind.KEY, id));
    };
  }

  private long revision() throws SQLException {
    List<Long> revisions = new ArrayList<>();
    query("SELECT revision FROM registry", row -> revisions.add(row.getLong(1)));
    return revisions.getFirst();
  }

  private Set<EntryName> logged(long revision) throws SQLException {
    Set<EntryName> logged = new HashSet<>();
    query(
        "SELECT kind, id FROM changes WHERE account = '123456789012' AND revision = " + revision,
        row -> logged.add(entry(Kind.valueOf(row.getString(1)), row.getString(2))));
    return logged;
  }

  /// Runs a change, and compares the log with the rows that differ.
  private void expectLogged(CompletableFuture<?> change, Set<List<String>> before, long revision)
      throws SQLException {
    change.join();
    Set<List<String>> after = rows();
    Set<EntryName> changed =
        Stream.of(before, after)
            .flatMap(Set::stream)
            .filter(row -> !before.contains(row) || !after.contains(row))
            .flatMap(ChangeLogTest::entries)
            .collect(Collectors.toSet());
    if (changed.isEmpty()) {
      return; // A change can write the values that an entry has already.
    }
    assertThat(revision()).isEqualTo(revision + 1);
    Set<EntryName> logged = logged(revision + 1);
    if (!logged.equals(Set.of(entry(Kind.EVERYTHING, "")))) {
      assertThat(logged).isEqualTo(changed);
    }
  }

  private interface Operation {
    CompletableFuture<?> start();
  }

  private void expectLogged(Operation operation) throws SQLException {
    Set<List<String>> before = rows();
    long revision = revision();
    expectLogged(operation.start(), before, revision);
  }

  /// One call of each change. The names of the methods are those of the interface.
  @Test
  void eachChangeNamesTheEntriesThatItTouches() throws SQLException {
    Key first = make();
    Key second = make();
    Key creating = key(KeyId.random());
    Key abandoned = key(KeyId.random());
    Set<String> tried = new TreeSet<>();
    KeyWriter writer = registry.writer();
    Alias alias = new Alias("alias/a");
    Alias other = new Alias("alias/b");
    record Try(String method, Operation operation) {}
    for (Try each :
        List.of(
            new Try("insert", () -> writer.insert(creating, List.of(new Tag("k", "v")))),
            new Try("enable", () -> writer.enable(creating.id(), READ, check(creating.id()))),
            new Try("enable", () -> writer.enable(creating.id(), READ, null)),
            new Try("storeCheckValue", () -> writer.storeCheckValue(first.id(), check(first.id()))),
            new Try("storeCheckValue", () -> writer.storeCheckValue(first.id(), check(first.id()))),
            new Try("createAlias", () -> writer.createAlias(alias, first.id(), _ -> true)),
            new Try("createAlias", () -> writer.createAlias(other, first.id(), _ -> true)),
            new Try("updateAlias", () -> writer.updateAlias(alias, second.id(), _ -> true)),
            new Try("updateAlias", () -> writer.updateAlias(alias, second.id(), _ -> true)),
            new Try("deleteAlias", () -> writer.deleteAlias(alias)),
            new Try("tag", () -> writer.tag(first.id(), _ -> true, List.of(new Tag("t", "1")))),
            new Try("untag", () -> writer.untag(first.id(), _ -> true, List.of("t", "missing"))),
            new Try("untag", () -> writer.untag(first.id(), _ -> true, List.of("missing"))),
            new Try("alsoOn", () -> writer.alsoOn(first.id(), "another")),
            new Try("alsoOn", () -> writer.alsoOn(first.id(), "another")),
            new Try("notOn", () -> writer.notOn(first.id(), "another")),
            new Try(
                "update", () -> writer.update(first.id(), k -> Optional.of(k.describedAs("new")))),
            new Try("stop", () -> writer.stop(OWNER, first.id(), ChangeLogTest::scheduled)),
            new Try("condemnDue", () -> writer.condemnDue(10)),
            new Try("condemnDue", this::condemnLater),
            new Try("forget", () -> writer.forget(first.id())),
            new Try("abandon", () -> writer.abandon(second.id())),
            new Try("insert", () -> writer.insert(abandoned, List.of())),
            new Try("abandon", () -> writer.abandon(abandoned.id())),
            new Try("restored", () -> writer.restored("serial", "new serial")))) {
      tried.add(each.method());
      expectLogged(each.operation());
    }
    assertThat(tried)
        .isEqualTo(
            Arrays.stream(KeyWriter.class.getMethods())
                .map(Method::getName)
                .filter(name -> !name.equals("forOwner"))
                .collect(Collectors.toCollection(TreeSet::new)));
  }

  private static Optional<Key> scheduled(Key key) {
    return Optional.of(key.pendingDeletion(NOW.plusSeconds(1)));
  }

  private CompletableFuture<?> condemnLater() {
    clock.advance(Duration.ofSeconds(2));
    return registry.writer().condemnDue(10);
  }

  @Test
  void changesOfAccessKeysAndOwnKeysAreLogged() throws SQLException {
    AccessKeyRegistry accessKeys = registry.accessKeys();
    AccessKey accessKey = new AccessKey("HMAKAAAAAAAAAAAAAAAA", "principal", NOW, true);
    expectLogged(() -> accessKeys.insert(accessKey));
    expectLogged(() -> accessKeys.disable(OWNER, accessKey.id()));
    expectLogged(() -> accessKeys.delete(OWNER, accessKey.id()));
    DaemonKeyRegistry own = registry.ownKeys();
    DaemonKey probe = new DaemonKey(DaemonKey.Purpose.PROBE, new KeyObject("probe", "0a"), "ff00");
    expectLogged(() -> own.put("serial", probe));
    expectLogged(() -> own.put("serial", probe));
    expectLogged(() -> own.forget("serial", DaemonKey.Purpose.PROBE));
    expectLogged(() -> own.forget("serial", DaemonKey.Purpose.PROBE));
  }

  @Test
  void changeWithoutAnEffectHasNoRevision() throws SQLException {
    Key key = make();
    long before = revision();
    registry.writer().enable(key.id(), READ, null).join();
    registry.writer().abandon(key.id()).join();
    registry.writer().untag(key.id(), _ -> true, List.of("missing")).join();
    registry.ownKeys().forget("serial", DaemonKey.Purpose.PROBE).join();
    assertThat(revision()).isEqualTo(before);
  }

  @Test
  void refusedChangeIsNotLogged() throws SQLException {
    long before = revision();
    assertThatThrownBy(() -> registry.writer().deleteAlias(new Alias("alias/a")).join())
        .isInstanceOf(CompletionException.class);
    assertThat(revision()).isEqualTo(before);
    assertThat(logged(before + 1)).isEmpty();
  }

  @Test
  void eachChangeHasANonceOfItsOwn() throws SQLException {
    make();
    make();
    Set<String> nonces = new HashSet<>();
    query("SELECT DISTINCT revision, nonce FROM changes", row -> nonces.add(row.getString(2)));
    assertThat(nonces).hasSize(4);
    query("SELECT nonce FROM registry", row -> assertThat(nonces).contains(row.getString("nonce")));
  }

  /// Two copies of one file have the same revision, but went their own ways.
  @Test
  void anotherCopyWithTheSameOrALaterRevisionIsRefused() throws IOException {
    make();
    registry.close();
    Path copy = Files.createDirectory(folder.resolve("copy"));
    Files.copy(file(), copy.resolve("registry.db"));
    try (var its = new Registry(copy.resolve("registry.db"), SCOPE, clock)) {
      its.open();
      for (int i = 0; i < 3; i++) {
        its.writer().insert(key(KeyId.random()), List.of()).join();
      }
    }
    registry = open();
    Key mine = registry.writer().insert(key(KeyId.random()), List.of()).join();
    assertThat(Lookups.find(registry, mine.id())).contains(mine); // In memory from now on.
    move(copy);
    assertThatThrownBy(() -> make()).isInstanceOf(CompletionException.class); // Replaced just now.
    assertThatThrownBy(() -> make()).satisfies(ChangeLogTest::assertForeign);
    assertThat(Lookups.find(registry, mine.id())).contains(mine);
  }

  private static void assertForeign(Throwable e) {
    assertThat(e.getCause())
        .isInstanceOfSatisfying(
            RegistryException.class,
            failure -> assertThat(failure.kind()).isEqualTo(RegistryException.Kind.FOREIGN));
  }

  /// Replaces the registry by the file of another folder.
  private void move(Path from) throws IOException {
    for (String suffix : List.of("", "-wal", "-shm")) {
      Files.deleteIfExists(folder.resolve("registry.db" + suffix));
      Path source = from.resolve("registry.db" + suffix);
      if (Files.exists(source)) {
        Files.move(source, folder.resolve("registry.db" + suffix));
      }
    }
  }

  /// A file that has the daemon's last change, and more, is a later state of the same timeline.
  @Test
  void laterFileOfTheSameTimelineIsAccepted() throws IOException {
    Key mine = make();
    registry.close();
    Path copy = Files.createDirectory(folder.resolve("copy"));
    Files.copy(file(), copy.resolve("registry.db"));
    KeyId later = KeyId.random();
    try (var its = new Registry(copy.resolve("registry.db"), SCOPE, clock)) {
      its.open();
      its.writer().insert(key(later), List.of()).join();
    }
    registry = open();
    move(copy);
    assertThatThrownBy(() -> make()).isInstanceOf(CompletionException.class); // Replaced just now.
    make();
    assertThat(Lookups.find(registry, mine.id())).isPresent();
    assertThat(Lookups.find(registry, later)).isPresent();
  }

  @Test
  void oldChangesAreDeletedAfterAnHourAndTenThousandRevisions() throws SQLException {
    long first = revision() + 1;
    make();
    insertOldChanges();
    clock.advance(ChangeLog.KEPT_TIME.plusSeconds(1));
    while (revision() % ChangeLog.PRUNE_INTERVAL != 0) {
      make();
    }
    assertThat(logged(first)).isEmpty();
    long kept = revision() - ChangeLog.KEPT_REVISIONS + 1;
    assertThat(logged(kept)).isNotEmpty();
    assertThat(logged(kept - 1)).isEmpty();
  }

  /// Moves the registry forward by more revisions than are kept.
  private void insertOldChanges() throws SQLException {
    try (Connection other = DriverManager.getConnection("jdbc:sqlite:" + file());
        Statement statement = other.createStatement()) {
      statement.execute(
          "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < "
              + (ChangeLog.KEPT_REVISIONS + 1000)
              + ") INSERT INTO changes SELECT (SELECT revision FROM registry) + i, 'nonce', 'KEY',"
              + (" '123456789012', 'id', " + NOW.toEpochMilli() + " FROM n"));
      statement.execute("UPDATE registry SET revision = (SELECT max(revision) FROM changes)");
    }
  }
}

package dev.hmacd.registry;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.hmacd.key.AccessKey;
import dev.hmacd.key.Alias;
import dev.hmacd.key.AliasEntry;
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
import dev.hmacd.registry.RegistryException.Kind;
import dev.hmacd.testing.LogWatch;
import dev.hmacd.testing.Lookups;
import dev.hmacd.testing.SettableClock;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class RegistryTest {
  private static final Duration LIMIT = Duration.ofSeconds(30);
  private static final ArnScope SCOPE = new ArnScope("aws", "eu-central-1", "123456789012");
  private static final Instant NOW = Instant.parse("2026-01-02T03:04:05.678Z");
  private static final Clock CLOCK = Clock.fixed(NOW, ZoneOffset.UTC);
  private static final KeyAttributes READ =
      new KeyAttributes(true, false, true, null, false, true, 32);
  private static final DaemonKey OWN =
      new DaemonKey(DaemonKey.Purpose.PROBE, new KeyObject("hmacd/own/probe", "0a"), "ff00");

  @TempDir Path folder;
  private final List<Registry> opened = new ArrayList<>();
  private Registry registry;

  @SuppressWarnings("NullAway.Init") // It is there from openFirst() on.
  RegistryTest() {}

  @BeforeEach
  void openFirst() {
    registry = open(SCOPE);
  }

  @AfterEach
  void close() {
    opened.forEach(Registry::close);
  }

  private Path file() {
    return folder.resolve("registry.db");
  }

  private Registry open(ArnScope scope) {
    return open(scope, CLOCK);
  }

  private Registry open(ArnScope scope, Clock clock) {
    var fresh = new Registry(file(), scope, clock);
    opened.add(fresh);
    fresh.open();
    return fresh;
  }

  private void reopen() {
    registry.close();
    registry = open(SCOPE);
  }

  private static Key entry(KeyId id) {
    return new Key(
        id,
        KeySpec.HMAC_384,
        KeyState.CREATING,
        KeyOrigin.GENERATED,
        NOW,
        "description: \u0000 'quotes' and 鍵 \uD83D\uDD11",
        null,
        new KeyVersion(1, new Placement(KeyObject.of(id, 1), List.of("serial")), null, null),
        Set.of());
  }

  private Key beginCreation() {
    return get(registry.writer().insert(entry(KeyId.random()), List.of()));
  }

  private Key make() {
    return get(registry.writer().enable(beginCreation().id(), READ, null));
  }

  private Key find(KeyId id) {
    return Lookups.find(registry, id).orElseThrow();
  }

  private static KeyCheckValue check(KeyId id, int first) {
    byte[] mac = new byte[48];
    mac[0] = (byte) first;
    return KeyCheckValue.of(id, 1, KeySpec.HMAC_384.algorithm(), mac);
  }

  @Test
  void firstStoredCheckValueIsNeverReplaced() {
    Key key = make();
    assertThat(key.check()).isNull();
    KeyCheckValue first = check(key.id(), 1);
    assertThat(get(registry.writer().storeCheckValue(key.id(), first)).check()).isEqualTo(first);
    assertThat(get(registry.writer().storeCheckValue(key.id(), check(key.id(), 2))).check())
        .isEqualTo(first);
    assertThat(find(key.id()).check()).isEqualTo(first);
    reopen();
    assertThat(find(key.id()))
        .isEqualTo(get(registry.writer().storeCheckValue(key.id(), check(key.id(), 2))));
    assertThat(find(key.id()).check()).isEqualTo(first);
  }

  @Test
  void checkValueOfANewKeyIsStored() {
    Key creating = beginCreation();
    KeyCheckValue check = check(creating.id(), 3);
    assertThat(get(registry.writer().enable(creating.id(), READ, check)).check()).isEqualTo(check);
    reopen();
    assertThat(find(creating.id()).check()).isEqualTo(check);
  }

  private static Alias alias(String name) {
    return new Alias("alias/" + name);
  }

  private CompletableFuture<AliasEntry> createAlias(Alias alias, KeyId target) {
    return registry.writer().createAlias(alias, target, _ -> true);
  }

  private CompletableFuture<AliasEntry> updateAlias(Alias alias, KeyId target) {
    return registry.writer().updateAlias(alias, target, _ -> true);
  }

  private static <T> T get(CompletableFuture<T> future) {
    try {
      return future.get(LIMIT.toSeconds(), TimeUnit.SECONDS);
    } catch (ExecutionException e) {
      if (e.getCause() instanceof RegistryException failure) {
        throw failure;
      }
      throw new AssertionError(e);
    } catch (InterruptedException | TimeoutException e) {
      throw new AssertionError(e);
    }
  }

  private static Consumer<Throwable> failsWith(Kind kind) {
    return thrown ->
        assertThat(thrown)
            .isInstanceOfSatisfying(
                RegistryException.class, failure -> assertThat(failure.kind()).isEqualTo(kind));
  }

  @Test
  void keysAliasesAndOwnKeysArePersistent() {
    Key made = make();
    Key creating = beginCreation();
    AliasEntry named = get(createAlias(alias("orders"), made.id()));
    get(registry.ownKeys().put("serial", OWN));
    reopen();
    assertThat(find(made.id())).isEqualTo(made.with(Set.of(alias("orders"))));
    assertThat(find(creating.id())).isEqualTo(creating);
    assertThat(get(registry.lists().creating()))
        .extracting(CreatingKey::key)
        .containsExactly(creating);
    assertThat(get(registry.lists().listAliases(Optional.of(made.id()), "", 10)))
        .containsExactly(named);
    assertThat(Lookups.find(registry, alias("orders"))).contains(find(made.id()));
    assertThat(get(registry.ownKeys().find("serial", DaemonKey.Purpose.PROBE))).contains(OWN);
    assertThat(get(registry.ownKeys().find("other", DaemonKey.Purpose.PROBE))).isEmpty();
  }

  private static Key named(KeyObject object, String... tokenSerials) {
    KeyId id = KeyId.random();
    return new Key(
        id,
        KeySpec.HMAC_384,
        KeyState.CREATING,
        KeyOrigin.ADOPTED,
        NOW,
        "",
        null,
        new KeyVersion(1, new Placement(object, List.of(tokenSerials)), null, null),
        Set.of());
  }

  @Test
  void keyIsRegisteredForSeveralTokens() {
    var object = new KeyObject("ceremony", "0a");
    Key key = get(registry.writer().insert(named(object, "b", "a"), List.of()));
    assertThat(key.tokenSerial()).isEqualTo("b");
    Key more = get(registry.writer().alsoOn(key.id(), "c"));
    assertThat(more.tokenSerials()).containsExactly("b", "a", "c");
    assertThat(get(registry.writer().alsoOn(key.id(), "c"))).isEqualTo(more);
    reopen();
    assertThat(find(key.id())).isEqualTo(more);
    assertThat(Lookups.all(registry)).containsExactly(more);
    for (String taken : List.of("a", "b", "c")) {
      assertThatThrownBy(() -> get(registry.writer().insert(named(object, "d", taken), List.of())))
          .satisfies(failsWith(Kind.OBJECT_TAKEN));
    }
    Key elsewhere = get(registry.writer().insert(named(object, "d"), List.of()));
    assertThatThrownBy(() -> get(registry.writer().alsoOn(elsewhere.id(), "a")))
        .satisfies(failsWith(Kind.OBJECT_TAKEN));
    assertThatThrownBy(() -> get(registry.writer().alsoOn(KeyId.random(), "a")))
        .satisfies(failsWith(Kind.KEY_NOT_FOUND));
  }

  @Test
  void objectBacksOneKeyOnly() {
    Key first = beginCreation();
    Key second = entry(KeyId.random());
    Key same =
        new Key(
            second.id(),
            second.spec(),
            second.state(),
            second.origin(),
            NOW,
            "",
            null,
            new KeyVersion(1, new Placement(first.object(), first.tokenSerials()), null, null),
            Set.of());
    assertThatThrownBy(() -> get(registry.writer().insert(same, List.of())))
        .satisfies(failsWith(Kind.OBJECT_TAKEN));
    assertThat(Lookups.find(registry, same.id())).isEmpty();
    reopen();
    assertThat(Lookups.find(registry, same.id())).isEmpty();
  }

  @Test
  void keyInCreationHasItsProcessAsOwner() {
    Key first = beginCreation();
    Key second = beginCreation();
    Key made = make();
    List<CreatingKey> creations = get(registry.lists().creating());
    assertThat(creations).extracting(CreatingKey::key).containsExactlyInAnyOrder(first, second);
    assertThat(creations).extracting(CreatingKey::attempt).containsExactly(1, 1);
    String owner = Objects.requireNonNull(creations.getFirst().owner());
    assertThat(creations).extracting(CreatingKey::owner).containsOnly(owner);
    reopen();
    assertThat(get(registry.lists().creating())).containsExactlyInAnyOrderElementsOf(creations);
    Key third = beginCreation();
    assertThat(get(registry.lists().creating()))
        .filteredOn(creation -> creation.key().equals(third))
        .singleElement()
        .satisfies(creation -> assertThat(creation.owner()).isNotNull().isNotEqualTo(owner));
    assertThat(find(made.id())).isEqualTo(made);
  }

  @Test
  void keyThatIsNotInCreationHasNoOwner() throws SQLException {
    get(registry.writer().enable(beginCreation().id(), READ, null));
    Key adopted = named(new KeyObject("ceremony", "0b"), "serial").enabled(READ, null);
    get(registry.writer().insert(adopted, List.of()));
    assertThat(get(registry.lists().creating())).isEmpty();
    try (Connection other = connect();
        Statement statement = other.createStatement();
        var rows =
            statement.executeQuery(
                "SELECT count(*), count(creating_owner), count(creating_attempt) FROM keys")) {
      assertThat(rows.getInt(1)).isEqualTo(2);
      assertThat(rows.getInt(2)).isZero();
      assertThat(rows.getInt(3)).isZero();
    }
  }

  @Test
  void abandonRemovesAKeyInStateCreatingOnly() {
    Key creating = beginCreation();
    Key made = make();
    get(registry.writer().abandon(creating.id()));
    get(registry.writer().abandon(made.id()));
    assertThat(Lookups.find(registry, creating.id())).isEmpty();
    assertThat(Lookups.find(registry, made.id())).contains(made);
    reopen();
    assertThat(Lookups.find(registry, creating.id())).isEmpty();
    assertThat(Lookups.find(registry, made.id())).contains(made);
  }

  @Test
  void movedAliasBelongsToExactlyOneKey() {
    Key from = make();
    Key to = make();
    get(createAlias(alias("stays"), from.id()));
    get(createAlias(alias("moves"), from.id()));
    assertThat(find(from.id()).aliases()).containsExactlyInAnyOrder(alias("stays"), alias("moves"));
    AliasEntry moved = get(updateAlias(alias("moves"), to.id()));
    assertThat(moved).isEqualTo(new AliasEntry(alias("moves"), to.id(), NOW, NOW));
    for (int i = 0; i < 2; i++) {
      assertThat(find(from.id()).aliases()).containsExactly(alias("stays"));
      assertThat(find(to.id()).aliases()).containsExactly(alias("moves"));
      assertThat(Lookups.find(registry, alias("moves")).orElseThrow().id()).isEqualTo(to.id());
      reopen();
    }
    get(registry.writer().deleteAlias(alias("moves")));
    assertThat(find(to.id()).aliases()).isEmpty();
    assertThat(Lookups.find(registry, alias("moves"))).isEmpty();
    assertThat(find(from.id()).aliases()).containsExactly(alias("stays"));
  }

  @Test
  void aliasCanBeUpdatedToItsOwnKey() {
    Key key = make();
    get(createAlias(alias("same"), key.id()));
    get(updateAlias(alias("same"), key.id()));
    assertThat(find(key.id()).aliases()).containsExactly(alias("same"));
  }

  @Test
  void keyHasAtMostFiftyAliases() {
    Key key = make();
    Key other = make();
    IntStream.rangeClosed(1, 50).forEach(i -> get(createAlias(alias("name-" + i), key.id())));
    get(createAlias(alias("other"), other.id()));
    assertThatThrownBy(() -> get(createAlias(alias("name-51"), key.id())))
        .satisfies(failsWith(Kind.TOO_MANY_ALIASES));
    assertThatThrownBy(() -> get(updateAlias(alias("other"), key.id())))
        .satisfies(failsWith(Kind.TOO_MANY_ALIASES));
    // An own alias can be updated at the limit, and a deleted alias frees a place.
    get(updateAlias(alias("name-50"), key.id()));
    get(registry.writer().deleteAlias(alias("name-50")));
    get(updateAlias(alias("other"), key.id()));
    assertThat(find(key.id()).aliases()).hasSize(50);
    assertThat(find(other.id()).aliases()).isEmpty();
  }

  @Test
  void aliasIsCreatedOnceAndForExistingKeysOnly() {
    Key key = make();
    get(createAlias(alias("once"), key.id()));
    assertThatThrownBy(() -> get(createAlias(alias("once"), key.id())))
        .satisfies(failsWith(Kind.ALIAS_EXISTS));
    assertThatThrownBy(() -> get(createAlias(alias("none"), KeyId.random())))
        .satisfies(failsWith(Kind.KEY_NOT_FOUND));
    assertThatThrownBy(() -> get(updateAlias(alias("none"), key.id())))
        .satisfies(failsWith(Kind.ALIAS_NOT_FOUND));
    assertThatThrownBy(() -> get(registry.writer().deleteAlias(alias("none"))))
        .satisfies(failsWith(Kind.ALIAS_NOT_FOUND));
  }

  @Test
  void onlySuccessfulChangesIncrementTheRevision() throws SQLException {
    long before = revision();
    Key key = make();
    get(createAlias(alias("a"), key.id()));
    assertThat(revision()).isEqualTo(before + 3);
    assertThatThrownBy(() -> get(createAlias(alias("a"), key.id())))
        .isInstanceOf(RegistryException.class);
    assertThat(revision()).isEqualTo(before + 3);
  }

  private long revision() throws SQLException {
    try (Connection other = connect();
        Statement statement = other.createStatement();
        var rows = statement.executeQuery("SELECT revision FROM registry")) {
      return rows.getLong(1);
    }
  }

  private Connection connect() throws SQLException {
    return DriverManager.getConnection("jdbc:sqlite:" + file());
  }

  @Test
  void scopeCanBeChangedWithoutKeysOnly() {
    ArnScope other = new ArnScope("aws", "us-east-1", "000000000000");
    registry.close();
    registry = open(other);
    make();
    registry.close();
    assertThatThrownBy(() -> open(SCOPE))
        .satisfies(failsWith(Kind.FOREIGN))
        .hasMessageContaining("arn:aws:kms:us-east-1:000000000000:");
    opened.getLast().close();
    registry = open(other);
  }

  @Test
  void listIsSortedAndComplete() {
    Set<KeyId> before = Set.copyOf(IntStream.range(0, 25).mapToObj(_ -> make().id()).toList());
    List<KeyId> listed = new ArrayList<>();
    String after = "";
    while (true) {
      List<KeyId> page = get(registry.lists().listKeys(after, 4));
      if (page.isEmpty()) {
        break;
      }
      listed.addAll(page);
      after = page.getLast().value();
      make();
    }
    assertThat(listed).isSorted().doesNotHaveDuplicates().containsAll(before);
  }

  @Test
  void thousandKeysAreReadAndListed() {
    Set<KeyId> made =
        Set.copyOf(IntStream.range(0, 1000).mapToObj(_ -> beginCreation().id()).toList());
    reopen();
    assertThat(get(registry.lists().creating())).hasSize(1000);
    List<KeyId> listed = get(registry.lists().listKeys("", 2000));
    assertThat(listed).isSorted().hasSize(1000).containsAll(made);
  }

  @Test
  void aliasesAreListedInOrder() {
    Key one = make();
    Key two = make();
    for (String name : List.of("c", "a", "e")) {
      get(createAlias(alias(name), one.id()));
    }
    get(createAlias(alias("b"), two.id()));
    assertThat(names(get(registry.lists().listAliases(Optional.empty(), "", 10))))
        .containsExactly("a", "b", "c", "e");
    assertThat(names(get(registry.lists().listAliases(Optional.of(one.id()), "alias/a", 1))))
        .containsExactly("c");
    assertThat(names(get(registry.lists().listAliases(Optional.of(KeyId.random()), "", 10))))
        .isEmpty();
  }

  private static List<String> names(List<AliasEntry> entries) {
    return entries.stream().map(entry -> entry.alias().name().substring(6)).toList();
  }

  @Test
  void secondOpenIsRefusedAndTheFirstContinues() {
    assertThatThrownBy(() -> open(SCOPE))
        .satisfies(failsWith(Kind.UNAVAILABLE))
        .hasMessageContaining("uses the registry");
    assertThat(make().state()).isEqualTo(KeyState.ENABLED);
  }

  @Test
  void filesAreAccessibleForTheirOwnerOnly() throws Exception {
    make();
    try (var files = Files.list(folder)) {
      for (Path each : files.toList()) {
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(each)))
            .as(each.toString())
            .isEqualTo("rw-------");
      }
    }
    assertThat(folder.resolve("registry.db-wal")).exists();
  }

  @Test
  void permissionsOfAnOperatorAreKept() throws Exception {
    registry.close();
    Files.setPosixFilePermissions(file(), PosixFilePermissions.fromString("rw-r-----"));
    registry = open(SCOPE);
    assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(file())))
        .isEqualTo("rw-r-----");
  }

  @Test
  void fileThatIsNotADatabaseIsRefusedAndUnchanged() throws Exception {
    registry.close();
    byte[] text = "a file that is not a database".repeat(100).getBytes(StandardCharsets.UTF_8);
    Files.write(file(), text);
    assertThatThrownBy(() -> open(SCOPE)).satisfies(failsWith(Kind.FOREIGN));
    assertThat(Files.readAllBytes(file())).isEqualTo(text);
  }

  @Test
  void databaseOfAnotherProgramIsRefusedAndUnchanged() throws Exception {
    registry.close();
    Files.delete(file());
    try (Connection other = connect();
        Statement statement = other.createStatement()) {
      statement.execute("CREATE TABLE theirs (a)");
    }
    byte[] before = Files.readAllBytes(file());
    assertThatThrownBy(() -> open(SCOPE))
        .satisfies(failsWith(Kind.FOREIGN))
        .hasMessageContaining(file().toString());
    assertThat(Files.readAllBytes(file())).isEqualTo(before);
  }

  @Test
  void registryOfANewerVersionIsRefusedAndUnchanged() throws Exception {
    registry.close();
    try (Connection other = connect();
        Statement statement = other.createStatement()) {
      statement.execute("PRAGMA user_version = 99");
    }
    byte[] before = Files.readAllBytes(file());
    assertThatThrownBy(() -> open(SCOPE))
        .satisfies(failsWith(Kind.FOREIGN))
        .hasMessageContaining("newer");
    assertThat(Files.readAllBytes(file())).isEqualTo(before);
  }

  @Test
  void damagedDatabaseIsRefused() throws Exception {
    make();
    registry.close();
    byte[] bytes = Files.readAllBytes(file());
    Arrays.fill(bytes, 4096, bytes.length, (byte) 0x5a);
    Files.write(file(), bytes);
    assertThatThrownBy(() -> open(SCOPE))
        .satisfies(failsWith(Kind.UNUSABLE))
        .hasMessageContaining("malformed");
  }

  @Test
  void movingAliasResolvesToAKeyWithThisAliasAtAnyTime() {
    Key one = make();
    Key two = make();
    get(createAlias(alias("moving"), one.id()));
    var moves =
        CompletableFuture.runAsync(
            () -> {
              for (int i = 0; i < 500; i++) {
                get(updateAlias(alias("moving"), (i % 2 == 0 ? two : one).id()));
              }
            });
    int reads = 0;
    while (!moves.isDone() || reads == 0) {
      Key found = Lookups.find(registry, "alias/moving").orElseThrow();
      assertThat(found.aliases()).contains(alias("moving"));
      reads++;
    }
    moves.join();
  }

  @Test
  void keyIsDueExactlyAtItsDeletionTime() {
    var time = new SettableClock(NOW);
    registry.close();
    Registry timed = open(SCOPE, time);
    Key key = get(timed.writer().insert(entry(KeyId.random()), List.of()));
    get(
        timed
            .writer()
            .enable(key.id(), new KeyAttributes(true, false, true, true, true, true, 48), null));
    Instant due = NOW.plusSeconds(1000);
    get(timed.writer().update(key.id(), entry -> Optional.of(entry.pendingDeletion(due))));
    time.advance(Duration.ofSeconds(999));
    assertThat(get(timed.writer().condemnDue(10))).isEmpty();
    assertThat(Lookups.find(timed, key.id())).isPresent();
    time.advance(Duration.ofSeconds(1));
    assertThat(get(timed.writer().condemnDue(10))).extracting(Key::id).containsExactly(key.id());
    assertThat(Lookups.find(timed, key.id())).isEmpty();
    assertThat(get(timed.writer().condemnDue(10))).isEmpty();
    assertThat(get(timed.lists().condemned()))
        .extracting(Key::object)
        .containsExactly(key.object());
    get(timed.writer().forget(key.id()));
    assertThat(get(timed.lists().condemned())).isEmpty();
  }

  @Test
  void missingOrOlderFileIsRefusedAndKeysInMemoryStay() throws IOException {
    Key first = make();
    registry.close();
    Path backup = folder.resolve("backup.db");
    Files.copy(file(), backup);
    registry = open(SCOPE);
    Key second = make();
    // In memory from now on.
    assertThat(Lookups.find(registry, first.id())).contains(first);
    assertThat(Lookups.find(registry, second.id())).contains(second);

    Path aside = Files.createDirectory(folder.resolve("aside"));
    moveRegistry(folder, aside);
    assertThatThrownBy(() -> make()).satisfies(failsWith(Kind.UNAVAILABLE));
    assertThat(file()).doesNotExist();
    assertThat(Lookups.find(registry, first.id())).contains(first);

    Files.copy(backup, file());
    assertThatThrownBy(() -> make()).satisfies(failsWith(Kind.FOREIGN));
    assertThat(Lookups.find(registry, second.id())).contains(second);

    Files.delete(file());
    moveRegistry(aside, folder);
    Key third = make();
    assertThat(Lookups.find(registry, second.id())).contains(second);
    assertThat(Lookups.find(registry, third.id())).contains(third);
  }

  @Test
  void keyThatIsNotInMemoryIsUnavailableWhileTheFileIsMissing() throws IOException {
    Key key = make();
    registry.close();
    registry = open(SCOPE);
    Path aside = Files.createDirectory(folder.resolve("aside"));
    moveRegistry(folder, aside);
    assertThatThrownBy(() -> registry.keys().load(key.id().value(), Owner.DAEMON, 1).join())
        .cause()
        .satisfies(failsWith(Kind.UNAVAILABLE));
    moveRegistry(aside, folder);
    assertThat(Lookups.find(registry, key.id())).contains(key);
  }

  /// The barrier of a daemon waits for the answers that are being released.
  @Test
  void changeIsAnsweredAfterTheReleaseBarrier() {
    registry.close();
    var reached = new CompletableFuture<Void>();
    var passed = new CompletableFuture<Void>();
    var timed =
        new Registry(
            file(),
            SCOPE,
            CLOCK,
            1 << 20,
            () -> {
              reached.complete(null);
              return passed;
            });
    opened.add(timed);
    timed.open();
    Key key = entry(KeyId.random());
    CompletableFuture<Key> change = timed.writer().insert(key, List.of());
    reached.join();
    // The change is in the cache before its answer.
    assertThat(Lookups.find(timed, key.id())).contains(key);
    assertThat(change).isNotDone();
    passed.complete(null);
    assertThat(get(change)).isEqualTo(key);
  }

  private static void moveRegistry(Path from, Path to) throws IOException {
    for (String name : List.of("registry.db", "registry.db-wal", "registry.db-shm")) {
      if (Files.exists(from.resolve(name))) {
        Files.move(from.resolve(name), to.resolve(name));
      }
    }
  }

  @Test
  void missingFolderIsNamedInTheError() {
    Path nowhere = folder.resolve("nowhere/registry.db");
    Registry other = new Registry(nowhere, SCOPE, CLOCK);
    opened.add(other);
    assertThatThrownBy(other::open)
        .satisfies(failsWith(Kind.UNUSABLE))
        .hasMessageContaining(nowhere.toString())
        .hasMessageContaining("no such file or folder");
  }

  @Test
  void missingRegistryIsEmptyAndIsNotCreated() throws IOException {
    Path missing = folder.resolve("missing.db");
    try (var other = new Registry(missing, SCOPE, CLOCK)) {
      other.openExisting();
      assertThat(get(other.ownKeys().isEmpty())).isTrue();
      assertThat(get(other.lists().creating())).isEmpty();
    }
    try (var files = Files.list(folder)) {
      assertThat(files).noneMatch(file -> file.toString().contains("missing"));
    }
    Path nowhere = folder.resolve("nowhere/registry.db");
    try (var other = new Registry(nowhere, SCOPE, CLOCK)) {
      assertThatThrownBy(other::openExisting)
          .satisfies(failsWith(Kind.UNUSABLE))
          .hasMessageContaining("no such file or folder");
    }
  }

  @Test
  void existingRegistryIsOpenedAsItIs() {
    Key key = make();
    registry.close();
    try (var other = new Registry(file(), SCOPE, CLOCK)) {
      other.openExisting();
      assertThat(Lookups.find(other, key.id())).isPresent();
    }
  }

  /// Otherwise, a command of root would leave a lock file that the daemon's user cannot open.
  @Test
  void newLockFileBelongsToTheOwnerOfTheRegistry() throws IOException {
    registry.close();
    Path lock = folder.resolve("registry.db.lock");
    Files.delete(lock);
    // Only root can change the owner.
    assumeTrue(Files.getAttribute(Path.of("/proc/self"), "unix:uid").equals(0));
    Files.setAttribute(file(), "unix:uid", 65_534);
    Files.setAttribute(file(), "unix:gid", 65_534);
    try (var other = new Registry(file(), SCOPE, CLOCK)) {
      other.openExisting();
    }
    assertThat(Files.readAttributes(lock, "unix:uid,gid"))
        .isEqualTo(Files.readAttributes(file(), "unix:uid,gid"));
  }

  /// Otherwise callers would wait until their deadlines, and keep their places in the queue.
  @Test
  void changeFailsIfTheFileCannotBeReadAfterAFailure() throws Exception {
    Key key = make();
    get(createAlias(alias("a"), key.id()));
    try (Connection other = connect();
        Statement statement = other.createStatement()) {
      statement.execute("UPDATE keys SET state = 'UNKNOWN'");
      statement.execute("BEGIN IMMEDIATE");
      for (int i = 0; i < 2; i++) {
        assertThatThrownBy(() -> get(registry.writer().deleteAlias(alias("a"))))
            .satisfies(failsWith(Kind.UNAVAILABLE));
      }
      statement.execute("ROLLBACK");
      statement.execute("UPDATE keys SET state = 'ENABLED'");
    }
    get(registry.writer().deleteAlias(alias("a")));
    assertThat(Lookups.find(registry, alias("a"))).isEmpty();
  }

  @Test
  void failedWriteIsRevertedInMemory() throws Exception {
    Key key = make();
    get(createAlias(alias("a"), key.id()));
    try (Connection other = connect();
        Statement statement = other.createStatement()) {
      statement.execute("BEGIN IMMEDIATE");
      assertThatThrownBy(() -> get(registry.writer().deleteAlias(alias("a"))))
          .satisfies(failsWith(Kind.UNAVAILABLE));
      // Reads are answered from unchanged memory meanwhile.
      assertThat(Lookups.find(registry, alias("a"))).contains(find(key.id()));
      assertThat(get(registry.lists().listKeys("", 10))).containsExactly(key.id());
      statement.execute("ROLLBACK");
    }
    get(registry.writer().deleteAlias(alias("a")));
    assertThat(find(key.id()).aliases()).isEmpty();
  }

  /// ROLLBACK ends the transaction without the driver, as a failed write to the disk does.
  @ParameterizedTest
  @ValueSource(strings = {"ABORT", "FAIL", "ROLLBACK"})
  void partiallyFailedChangeIsRevertedAndTheNextChangeWorks(String how) throws Exception {
    Key key = make();
    Key half = entry(KeyId.random());
    try (Connection other = connect();
        Statement statement = other.createStatement()) {
      // A key has two rows; the trigger fails the second.
      statement.execute(
          "CREATE TRIGGER fault BEFORE INSERT ON key_versions"
              + (" BEGIN SELECT RAISE(" + how + ", 'injected'); END"));
      assertThatThrownBy(() -> get(registry.writer().insert(half, List.of())))
          .satisfies(failsWith(Kind.UNAVAILABLE));
      assertThat(get(registry.lists().listKeys("", 10))).containsExactly(key.id());
      assertThatThrownBy(() -> get(registry.writer().insert(half, List.of())))
          .satisfies(failsWith(Kind.UNAVAILABLE));
      statement.execute("DROP TRIGGER fault");
    }
    Key next = make();
    for (int i = 0; i < 2; i++) {
      assertThat(Lookups.find(registry, half.id())).isEmpty();
      assertThat(Lookups.find(registry, key.id())).contains(key);
      assertThat(Lookups.find(registry, next.id())).contains(next);
      reopen();
    }
  }

  @Test
  void changeAfterAFailedOneUsesTheLatestContentOfTheFile() throws Exception {
    try (Connection other = connect();
        Statement statement = other.createStatement()) {
      statement.execute("BEGIN IMMEDIATE");
      assertThatThrownBy(this::beginCreation).satisfies(failsWith(Kind.UNAVAILABLE));
      statement.execute("UPDATE registry SET revision = revision + 1");
      statement.execute("COMMIT");
    }
    assertThat(make().state()).isEqualTo(KeyState.ENABLED);
  }

  @Test
  void changeWaitsForAShortLockOfAnotherProcess() throws Exception {
    try (Connection other = connect();
        Statement statement = other.createStatement()) {
      statement.execute("BEGIN IMMEDIATE");
      CompletableFuture<Key> creating = registry.writer().insert(entry(KeyId.random()), List.of());
      assertThatThrownBy(() -> creating.get(300, TimeUnit.MILLISECONDS))
          .isInstanceOf(TimeoutException.class);
      statement.execute("ROLLBACK");
      assertThat(get(creating).state()).isEqualTo(KeyState.CREATING);
    }
  }

  @Test
  void changesAboveTheQueueLimitAreBusyAtOnce() throws Exception {
    List<CompletableFuture<Key>> changes = new ArrayList<>();
    CompletableFuture<DaemonKey> own;
    try (Connection other = connect();
        Statement statement = other.createStatement()) {
      statement.execute("BEGIN IMMEDIATE");
      // 256 changes wait in the queue. One more waits for the lock, if the thread of the queue has
      // taken it before the next change.
      for (int i = 0; i < 258; i++) {
        changes.add(registry.writer().insert(entry(KeyId.random()), List.of()));
      }
      CompletableFuture<Key> refused =
          changes.stream()
              .filter(CompletableFuture::isCompletedExceptionally)
              .findFirst()
              .orElseThrow();
      assertThat(changes.subList(0, 256)).noneMatch(CompletableFuture::isCompletedExceptionally);
      assertThatThrownBy(() -> get(refused)).satisfies(failsWith(Kind.BUSY));
      // The daemon's own keys have places that callers cannot take.
      own = registry.ownKeys().put("serial", OWN);
      assertThat(own).isNotDone();
      statement.execute("ROLLBACK");
    }
    for (CompletableFuture<Key> each : changes.subList(0, 256)) {
      assertThat(get(each).state()).isEqualTo(KeyState.CREATING);
    }
    assertThat(get(own)).isEqualTo(OWN);
  }

  @Test
  void refusalsNameTheOwnerWithMostOperations() {
    String message = "Registry operations refused: too many calls wait for the registry";
    Owner greedy = Owner.of("issuer", "greedy");
    try (LogWatch log = LogWatch.start()) {
      for (int i = 0; i < 128; i++) {
        var _ = registry.writer().forOwner(greedy, () -> new CompletableFuture<String>());
      }
      assertThat(log.lines(message)).isEmpty();
      for (int i = 0; i < 2; i++) {
        assertThatThrownBy(() -> get(registry.writer().forOwner(greedy, CompletableFuture::new)))
            .satisfies(failsWith(Kind.OWNER_BUSY));
      }
      assertThat(log.lines(message))
          .singleElement()
          .asString()
          .startsWith("WARN ")
          .contains("owner=\"greedy\"", "owner_operations=\"128\"", "times=\"1\"");
    }
  }

  private static Owner owner(String principal) {
    return Owner.of("issuer", principal);
  }

  @Test
  void ownerHasHalfOfTheQueue() {
    List<CompletableFuture<String>> creating = new ArrayList<>();
    for (int i = 0; i < 128; i++) {
      var work = new CompletableFuture<String>();
      creating.add(work);
      var _ = registry.writer().forOwner(owner("greedy"), () -> work);
    }
    assertThatThrownBy(
            () ->
                get(
                    registry
                        .writer()
                        .forOwner(owner("greedy"), () -> registry.lists().listKeys("", 1))))
        .satisfies(failsWith(Kind.OWNER_BUSY));
    assertThat(registry.writer().forOwner(owner("other"), () -> registry.lists().listKeys("", 1)))
        .succeedsWithin(LIMIT);
    // A principal has one quota for all its authorities.
    assertThatThrownBy(
            () ->
                get(
                    registry
                        .writer()
                        .forOwner(Owner.of("other issuer", "greedy"), CompletableFuture::new)))
        .satisfies(failsWith(Kind.OWNER_BUSY));
    creating.get(0).complete("done");
    creating.get(1).completeExceptionally(new IllegalStateException());
    for (int i = 0; i < 2; i++) {
      assertThat(registry.writer().forOwner(owner("greedy"), () -> new CompletableFuture<>()))
          .isNotDone();
    }
    assertThatThrownBy(
            () -> get(registry.writer().forOwner(owner("greedy"), CompletableFuture::new)))
        .satisfies(failsWith(Kind.OWNER_BUSY));
    // Refused changes do not count.
    creating.get(2).complete("done");
    assertThatThrownBy(
            () ->
                registry
                    .writer()
                    .forOwner(
                        owner("greedy"),
                        () -> {
                          throw new IllegalArgumentException("refused");
                        }))
        .isInstanceOf(IllegalArgumentException.class);
    assertThat(registry.writer().forOwner(owner("greedy"), () -> registry.lists().listKeys("", 1)))
        .succeedsWithin(LIMIT);
  }

  /// Blocks the registry's thread with a change, until the change's condition has passed the gate.
  private void block(KeyId id, CountDownLatch gate) {
    var entered = new CountDownLatch(1);
    var _ =
        registry
            .writer()
            .update(
                id,
                _ -> {
                  entered.countDown();
                  await(gate);
                  return Optional.empty();
                });
    await(entered);
  }

  private static void await(CountDownLatch latch) {
    try {
      assertThat(latch.await(LIMIT.toSeconds(), TimeUnit.SECONDS)).isTrue();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new AssertionError(e);
    }
  }

  private static Function<Key, Optional<Key>> to(KeyState state) {
    return key -> Optional.of(key.in(state));
  }

  private CompletableFuture<KeyId> tag(KeyId id) {
    return registry.writer().tag(id, _ -> true, List.of(new Tag("team", "billing")));
  }

  /// @param suffix the last character of the id
  private AccessKey makeAccessKey(String suffix) {
    var key = new AccessKey("HMAK" + "A".repeat(15) + suffix, "user", NOW, true);
    return get(registry.accessKeys().insert(key));
  }

  @Test
  void changesThatStopSomethingOvertakeAFullQueue() {
    Key disabled = make();
    Key doomed = make();
    AccessKey first = makeAccessKey("A");
    AccessKey second = makeAccessKey("B");
    List<String> order = new CopyOnWriteArrayList<>();
    List<CompletableFuture<?>> changes = new ArrayList<>();
    var gate = new CountDownLatch(1);
    block(disabled.id(), gate);
    for (int i = 0; i < 256; i++) {
      changes.add(tag(disabled.id()).thenRun(() -> order.add("TagResource")));
    }
    assertThatThrownBy(() -> get(tag(disabled.id()))).satisfies(failsWith(Kind.BUSY));
    changes.add(
        registry
            .writer()
            .stop(owner("admin"), disabled.id(), to(KeyState.DISABLED))
            .thenRun(() -> order.add("DisableKey")));
    changes.add(
        registry
            .accessKeys()
            .disable(owner("admin"), first.id())
            .thenRun(() -> order.add("DisableAccessKey")));
    changes.add(
        registry
            .accessKeys()
            .delete(owner("admin"), second.id())
            .thenRun(() -> order.add("DeleteAccessKey")));
    changes.add(
        registry
            .writer()
            .stop(
                owner("admin"),
                doomed.id(),
                key -> Optional.of(key.pendingDeletion(NOW.plus(Duration.ofDays(7)))))
            .thenRun(() -> order.add("ScheduleKeyDeletion")));
    gate.countDown();
    for (CompletableFuture<?> each : changes) {
      get(each);
    }
    assertThat(order)
        .hasSize(260)
        .startsWith("DisableKey", "DisableAccessKey", "DeleteAccessKey", "ScheduleKeyDeletion");
    assertThat(find(disabled.id()).state()).isEqualTo(KeyState.DISABLED);
    assertThat(find(doomed.id()).state()).isEqualTo(KeyState.PENDING_DELETION);
    assertThat(Lookups.accessKey(registry, first.id()).orElseThrow().active()).isFalse();
    assertThat(Lookups.accessKey(registry, second.id())).isEmpty();
  }

  /// A refused end of a creation would leave the key in state CREATING.
  @Test
  void operationsOfTheDaemonAreAcceptedByAQueueFullOfCalls() {
    Key key = make();
    Key made = beginCreation();
    Key notMade = beginCreation();
    var gate = new CountDownLatch(1);
    block(key.id(), gate);
    List<CompletableFuture<KeyId>> tags =
        IntStream.range(0, 256).mapToObj(_ -> tag(key.id())).toList();
    assertThatThrownBy(() -> get(tag(key.id()))).satisfies(failsWith(Kind.BUSY));
    CompletableFuture<Key> enabled = registry.writer().enable(made.id(), READ, null);
    CompletableFuture<KeyId> abandoned = registry.writer().abandon(notMade.id());
    CompletableFuture<List<Key>> due = registry.writer().condemnDue(1);
    CompletableFuture<KeyId> forgotten = registry.writer().forget(notMade.id());
    CompletableFuture<List<CreatingKey>> creating = registry.lists().creating();
    CompletableFuture<List<Key>> condemned = registry.lists().condemned();
    gate.countDown();
    assertThat(get(enabled).state()).isEqualTo(KeyState.ENABLED);
    assertThat(get(abandoned)).isEqualTo(notMade.id());
    assertThat(get(due)).isEmpty();
    assertThat(get(forgotten)).isEqualTo(notMade.id());
    assertThat(get(creating)).isEmpty();
    assertThat(get(condemned)).isEmpty();
    for (CompletableFuture<KeyId> each : tags) {
      assertThat(get(each)).isEqualTo(key.id());
    }
  }

  @Test
  void urgentChangesAboveTheQuotaOfTheirOwnerAreOrdinaryChanges() {
    Key key = make();
    List<String> order = new CopyOnWriteArrayList<>();
    List<CompletableFuture<?>> changes = new ArrayList<>();
    var gate = new CountDownLatch(1);
    block(key.id(), gate);
    changes.add(tag(key.id()).thenRun(() -> order.add("TagResource")));
    for (int i = 0; i < 16 + 128; i++) {
      changes.add(
          registry
              .writer()
              .stop(owner("greedy"), key.id(), to(KeyState.DISABLED))
              .thenRun(() -> order.add("greedy")));
    }
    assertThatThrownBy(
            () -> get(registry.writer().stop(owner("greedy"), key.id(), to(KeyState.DISABLED))))
        .satisfies(failsWith(Kind.OWNER_BUSY));
    assertThatThrownBy(
            () ->
                get(
                    registry
                        .writer()
                        .stop(Owner.of("other issuer", "greedy"), key.id(), to(KeyState.DISABLED))))
        .satisfies(failsWith(Kind.OWNER_BUSY));
    changes.add(
        registry
            .writer()
            .stop(owner("admin"), key.id(), to(KeyState.DISABLED))
            .thenRun(() -> order.add("admin")));
    gate.countDown();
    for (CompletableFuture<?> each : changes) {
      get(each);
    }
    // After 8 urgent changes, one ordinary change is executed: TagResource, then one of greedy's.
    assertThat(order).hasSize(1 + 16 + 128 + 1);
    assertThat(order.indexOf("TagResource")).isEqualTo(8);
    assertThat(order.indexOf("admin")).isEqualTo(16 + 2);
    // Completed changes free their places.
    get(registry.writer().stop(owner("greedy"), key.id(), to(KeyState.DISABLED)));
  }

  @Test
  void thirdOwnerStopsAKeyAlthoughTwoOwnersFillTheQueue() {
    Key key = make();
    Key other = make();
    List<String> order = new CopyOnWriteArrayList<>();
    List<CompletableFuture<?>> changes = new ArrayList<>();
    var gate = new CountDownLatch(1);
    block(key.id(), gate);
    for (int i = 0; i < 256; i++) {
      changes.add(tag(key.id()).thenRun(() -> order.add("TagResource")));
    }
    for (String principal : List.of("greedy", "eager")) {
      for (int i = 0; i < 16; i++) {
        changes.add(
            registry
                .writer()
                .stop(owner(principal), key.id(), to(KeyState.DISABLED))
                .thenRun(() -> order.add(principal)));
      }
    }
    changes.add(
        registry
            .writer()
            .stop(owner("admin"), other.id(), to(KeyState.DISABLED))
            .thenRun(() -> order.add("admin")));
    gate.countDown();
    for (CompletableFuture<?> each : changes) {
      get(each);
    }
    assertThat(find(other.id()).state()).isEqualTo(KeyState.DISABLED);
    // 31 urgent changes are before the change of the admin, and after 8 of them one TagResource.
    assertThat(order.indexOf("admin")).isEqualTo(31 + 3);
    // The newest urgent change of the owner with the most was demoted.
    assertThat(order).hasSize(256 + 32 + 1).endsWith("eager");
  }

  @Test
  void enableKeyNeverUndoesALaterStop() {
    Key key = make();
    get(registry.writer().stop(owner("admin"), key.id(), to(KeyState.DISABLED)));
    var gate = new CountDownLatch(1);
    block(key.id(), gate);
    CompletableFuture<Key> enabled = registry.writer().update(key.id(), to(KeyState.ENABLED));
    CompletableFuture<Key> disabled =
        registry.writer().stop(owner("admin"), key.id(), to(KeyState.DISABLED));
    gate.countDown();
    assertThat(get(disabled).state()).isEqualTo(KeyState.DISABLED);
    assertThatThrownBy(() -> get(enabled)).satisfies(failsWith(Kind.OVERTAKEN));
    assertThat(find(key.id()).state()).isEqualTo(KeyState.DISABLED);
  }

  @Test
  void enableKeyAfterAWaitingStopEnablesTheKey() {
    Key key = make();
    Key other = make();
    var gate = new CountDownLatch(1);
    block(key.id(), gate);
    CompletableFuture<Key> disabled =
        registry.writer().stop(owner("admin"), key.id(), to(KeyState.DISABLED));
    CompletableFuture<Key> enabled = registry.writer().update(key.id(), to(KeyState.ENABLED));
    CompletableFuture<Key> otherDisabled =
        registry.writer().stop(owner("admin"), other.id(), to(KeyState.DISABLED));
    gate.countDown();
    assertThat(get(disabled).state()).isEqualTo(KeyState.DISABLED);
    assertThat(get(otherDisabled).state()).isEqualTo(KeyState.DISABLED);
    assertThat(get(enabled).state()).isEqualTo(KeyState.ENABLED);
    assertThat(find(key.id()).state()).isEqualTo(KeyState.ENABLED);
  }

  @Test
  void changeThatTheStateOfItsKeyDoesNotAllowIsRefused() {
    Key key = make();
    Key other = make();
    get(createAlias(alias("there"), other.id()));
    get(tag(key.id()));
    KeyId id = key.id();
    List<Supplier<CompletableFuture<?>>> changes =
        List.of(
            () -> registry.writer().update(id, _ -> Optional.empty()),
            () -> registry.writer().stop(owner("admin"), id, _ -> Optional.empty()),
            () -> registry.writer().tag(id, _ -> false, List.of(new Tag("cost", "1"))),
            () -> registry.writer().untag(id, _ -> false, List.of("team")),
            () -> registry.writer().createAlias(alias("new"), id, _ -> false),
            () -> registry.writer().updateAlias(alias("there"), id, _ -> false));
    for (Supplier<CompletableFuture<?>> change : changes) {
      assertThatThrownBy(() -> get(change.get())).satisfies(failsWith(Kind.REFUSED));
    }
    assertThat(get(registry.lists().listTags(id, 0, 10)))
        .extracting(PositionedTag::tag)
        .containsExactly(new Tag("team", "billing"));
    assertThat(find(id).aliases()).isEmpty();
    assertThat(Lookups.find(registry, alias("new"))).isEmpty();
    assertThat(Lookups.find(registry, alias("there"))).contains(find(other.id()));
  }

  @Test
  void closedRegistryRefusesChanges() {
    registry.close();
    registry.close();
    assertThatThrownBy(() -> get(registry.lists().listKeys("", 1)))
        .satisfies(failsWith(Kind.UNAVAILABLE));
  }
}

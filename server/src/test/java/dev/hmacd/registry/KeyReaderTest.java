package dev.hmacd.registry;

import static org.assertj.core.api.Assertions.assertThat;

import dev.hmacd.key.Alias;
import dev.hmacd.key.ArnScope;
import dev.hmacd.key.Key;
import dev.hmacd.key.KeyAttributes;
import dev.hmacd.key.KeyId;
import dev.hmacd.key.KeyObject;
import dev.hmacd.key.KeyOrigin;
import dev.hmacd.key.KeySpec;
import dev.hmacd.key.KeyState;
import dev.hmacd.key.KeyVersion;
import dev.hmacd.key.Placement;
import dev.hmacd.limit.Owner;
import dev.hmacd.registry.cache.Cut;
import dev.hmacd.registry.cache.Entry;
import dev.hmacd.testing.Lookups;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Instant;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Look-ups of keys by the names of requests.
final class KeyReaderTest {
  private static final ArnScope SCOPE = new ArnScope("aws", "eu-central-1", "123456789012");
  private static final Alias ORDERS = new Alias("alias/orders");
  private static final Alias BILLS = new Alias("alias/bills");
  private static final KeyAttributes READ =
      new KeyAttributes(true, false, true, null, false, true, 32);

  @TempDir Path folder;
  private Registry registry;

  @SuppressWarnings("NullAway.Init") // It is there from open() on.
  KeyReaderTest() {}

  @BeforeEach
  void open() {
    registry = new Registry(folder.resolve("registry.db"), SCOPE, Clock.systemUTC());
    registry.open();
  }

  @AfterEach
  void close() {
    registry.close();
  }

  private Key make(Alias... aliases) {
    KeyId id = KeyId.random();
    var key =
        new Key(
            id,
            KeySpec.HMAC_256,
            KeyState.CREATING,
            KeyOrigin.GENERATED,
            Instant.EPOCH,
            "",
            null,
            new KeyVersion(1, new Placement(KeyObject.of(id, 1), List.of("serial")), null, null),
            Set.of());
    registry.writer().insert(key, List.of()).join();
    registry.writer().enable(id, READ, null).join();
    for (Alias alias : aliases) {
      registry.writer().createAlias(alias, id, _ -> true).join();
    }
    return Lookups.find(registry, id).orElseThrow();
  }

  private void load(String given) {
    registry.keys().load(given, Owner.DAEMON, 1).join();
  }

  private Entry memory(String given) {
    return Objects.requireNonNull(registry.keys().find(given));
  }

  @Test
  void keyIsFoundByEachOfItsNames() {
    Key key = make(ORDERS);
    String id = key.id().value();
    for (String name :
        List.of(id, SCOPE.prefix() + "key/" + id, ORDERS.name(), SCOPE.prefix() + ORDERS.name())) {
      load(name);
      assertThat(memory(name).value(Key.class)).as(name).isEqualTo(key);
    }
    assertThat(memory(ORDERS.name())).isSameAs(memory(id));
  }

  @Test
  void oneLoadOfAnAliasReadsItsKey() {
    Key key = make(ORDERS);
    registry.close();
    open();
    load(ORDERS.name());
    assertThat(registry.loadedEntries()).isEqualTo(1);
    assertThat(memory(key.id().value()).value(Key.class)).isEqualTo(key);
  }

  @Test
  void nameOfNoKeyIsAnAbsentEntry() {
    make(ORDERS);
    for (String name : List.of(KeyId.random().value(), BILLS.name())) {
      load(name);
      assertThat(memory(name).isAbsent()).as(name).isTrue();
    }
  }

  @Test
  void malformedNameIsNotFound() {
    String id = make(ORDERS).id().value();
    for (String name :
        List.of(
            "",
            "key/" + id,
            SCOPE.prefix() + id,
            SCOPE.prefix() + "key/" + ORDERS.name(),
            "arn:aws:kms:us-east-1:123456789012:key/" + id)) {
      load(name);
      assertThat(registry.keys().find(name)).as(name).isNull();
    }
  }

  @Test
  void changedKeyIsNotInMemoryUnderAnyName() {
    Key before = make(ORDERS, BILLS);
    List<String> names = List.of(before.id().value(), ORDERS.name(), BILLS.name());
    names.forEach(this::load);
    Cut cut = registry.keys().cut();
    Entry entry = memory(ORDERS.name());
    assertThat(registry.keys().isCurrent(entry, cut)).isTrue();
    registry.writer().update(before.id(), key -> Optional.of(key.in(KeyState.DISABLED))).join();
    assertThat(registry.keys().isCurrent(entry, cut)).isFalse();
    assertThat(names).allMatch(name -> registry.keys().find(name) == null);
    for (String name : names) {
      assertThat(Lookups.find(registry, name).orElseThrow().state())
          .as(name)
          .isEqualTo(KeyState.DISABLED);
    }
  }

  @Test
  void changeOfAnotherKeyLeavesAKeyInMemory() {
    Key key = make(ORDERS);
    Key other = make();
    load(ORDERS.name());
    Cut cut = registry.keys().cut();
    Entry entry = memory(ORDERS.name());
    registry.writer().update(other.id(), each -> Optional.of(each.describedAs("new"))).join();
    assertThat(memory(key.id().value())).isSameAs(entry);
    assertThat(memory(ORDERS.name())).isSameAs(entry);
    assertThat(registry.keys().isCurrent(entry, cut)).isTrue();
  }

  @Test
  void newAliasReplacesItsAbsentEntry() {
    Key key = make();
    load(ORDERS.name());
    assertThat(memory(ORDERS.name()).isAbsent()).isTrue();
    registry.writer().createAlias(ORDERS, key.id(), _ -> true).join();
    assertThat(Lookups.find(registry, ORDERS).orElseThrow().id()).isEqualTo(key.id());
  }

  @Test
  void aliasThatAKeyLostIsNotFound() {
    Key key = make(ORDERS, BILLS);
    load(ORDERS.name());
    load(BILLS.name());
    registry.writer().deleteAlias(ORDERS).join();
    assertThat(Lookups.find(registry, ORDERS)).isEmpty();
    assertThat(Lookups.find(registry, BILLS).orElseThrow().aliases()).containsExactly(BILLS);
    assertThat(Lookups.find(registry, key.id()).orElseThrow().aliases()).containsExactly(BILLS);
  }

  /// Moves the alias without pauses, so that look-ups fall between the steps of a move.
  @Test
  void lookUpDuringAMoveFindsAKeyThatHasTheAlias() throws ExecutionException, InterruptedException {
    List<KeyId> keys = List.of(make(ORDERS).id(), make().id());
    CompletableFuture<Void> moves =
        CompletableFuture.runAsync(
            () -> {
              for (int i = 1; i <= 500; i++) {
                registry.writer().updateAlias(ORDERS, keys.get(i % 2), _ -> true).join();
              }
            });
    do {
      assertThat(Lookups.find(registry, ORDERS).orElseThrow().aliases()).contains(ORDERS);
    } while (!moves.isDone());
    moves.get();
  }

  @Test
  void lookUpAfterAMoveNeverFindsTheOldKey() {
    KeyId from = make(ORDERS).id();
    KeyId to = make().id();
    for (int i = 0; i < 200; i++) {
      load(ORDERS.name());
      KeyId target = i % 2 == 0 ? to : from;
      registry.writer().updateAlias(ORDERS, target, _ -> true).join();
      assertThat(Lookups.find(registry, ORDERS).orElseThrow().id()).isEqualTo(target);
    }
  }
}

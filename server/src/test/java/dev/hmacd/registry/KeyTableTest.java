package dev.hmacd.registry;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.hmacd.key.Alias;
import dev.hmacd.key.ArnScope;
import dev.hmacd.key.Key;
import dev.hmacd.key.KeyId;
import dev.hmacd.key.KeyObject;
import dev.hmacd.key.KeyOrigin;
import dev.hmacd.key.KeySpec;
import dev.hmacd.key.KeyState;
import dev.hmacd.registry.RegistryException.Kind;
import java.time.Instant;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Test;

final class KeyTableTest {
  private static final ArnScope SCOPE = new ArnScope("aws", "eu-central-1", "123456789012");
  private static final Alias ORDERS = new Alias("alias/orders");
  private static final Alias BILLS = new Alias("alias/bills");

  private final KeyTable table = new KeyTable(SCOPE);

  private static Key key(Alias... aliases) {
    KeyId id = KeyId.random();
    return new Key(
        id,
        KeySpec.HMAC_256,
        KeyState.ENABLED,
        KeyOrigin.GENERATED,
        Instant.EPOCH,
        "",
        1,
        List.of("serial"),
        KeyObject.of(id, 1),
        null,
        null,
        null,
        Set.of(aliases));
  }

  @Test
  void keyIsFoundByEachOfItsNames() {
    Key key = table.put(key(ORDERS));
    String id = key.id().value();
    for (String name :
        List.of(id, SCOPE.prefix() + "key/" + id, ORDERS.name(), SCOPE.prefix() + ORDERS.name())) {
      assertThat(table.resolve(name)).as(name).isSameAs(key);
      assertThat(table.load(name)).as(name).isCompletedWithValue(Optional.of(key));
    }
    assertThat(table.find(key.id())).containsSame(key);
    assertThat(table.find(ORDERS)).containsSame(key);
  }

  @Test
  void nameOfNoKeyIsNotFound() {
    String id = table.put(key(ORDERS)).id().value();
    for (String name :
        List.of(
            "",
            KeyId.random().value(),
            "key/" + id,
            SCOPE.prefix() + id,
            BILLS.name(),
            SCOPE.prefix() + "key/" + ORDERS.name(),
            "arn:aws:kms:us-east-1:123456789012:key/" + id)) {
      assertThat(table.resolve(name)).as(name).isNull();
      assertThat(table.load(name)).as(name).isCompletedWithValue(Optional.empty());
    }
  }

  @Test
  void changedKeyIsFoundByAllItsNames() {
    Key before = table.put(key(ORDERS, BILLS));
    Key after = table.put(before.in(KeyState.DISABLED));
    assertThat(table.find(after.id())).containsSame(after);
    assertThat(table.find(ORDERS)).containsSame(after);
    assertThat(table.find(BILLS)).containsSame(after);
    assertThat(table.all()).containsExactly(after);
  }

  @Test
  void aliasThatAKeyLostIsNotFound() {
    Key before = table.put(key(ORDERS, BILLS));
    Key after = table.put(before.with(Set.of(BILLS)));
    assertThat(table.find(ORDERS)).isEmpty();
    assertThat(table.find(BILLS)).containsSame(after);
  }

  @Test
  void aliasThatMovedStaysWithItsNewKey() {
    Key from = table.put(key(ORDERS));
    Key to = table.put(key());
    Key target = table.put(to.with(Set.of(ORDERS)));
    assertThat(table.find(ORDERS)).containsSame(target);
    Key rest = table.put(from.with(Set.of()));
    assertThat(table.find(ORDERS)).containsSame(target);
    assertThat(table.find(from.id())).containsSame(rest);
  }

  @Test
  void removedKeyIsFoundByNoName() {
    Key key = table.put(key(ORDERS, BILLS));
    Key other = table.put(key());
    table.remove(key.id());
    assertThat(table.find(key.id())).isEmpty();
    assertThat(table.find(ORDERS)).isEmpty();
    assertThat(table.find(BILLS)).isEmpty();
    assertThat(table.all()).containsExactly(other);
    assertThatThrownBy(() -> table.require(key.id()))
        .isInstanceOfSatisfying(
            RegistryException.class,
            failure -> assertThat(failure.kind()).isEqualTo(Kind.KEY_NOT_FOUND));
  }

  /// Moves the alias without pauses, so that look-ups fall between the steps of a move.
  @Test
  void lookUpDuringAMoveFindsAKeyThatHasTheAlias() throws InterruptedException {
    Key[] keys = {table.put(key(ORDERS)), table.put(key())};
    Thread moves =
        Thread.ofPlatform()
            .start(
                () -> {
                  for (int i = 0; i < 200_000; i++) {
                    int to = (i + 1) % 2;
                    keys[to] = table.put(keys[to].with(Set.of(ORDERS)));
                    keys[1 - to] = table.put(keys[1 - to].with(Set.of()));
                  }
                });
    do {
      Key found = Objects.requireNonNull(table.resolve(ORDERS.name()));
      assertThat(found.aliases().contains(ORDERS)).isTrue();
    } while (moves.isAlive());
    moves.join();
  }

  @Test
  void lookUpAfterAMoveNeverFindsTheOldKey() throws InterruptedException {
    Key from = table.put(key(ORDERS));
    Key to = table.put(key());
    Thread move =
        Thread.ofPlatform()
            .start(
                () -> {
                  table.put(to.with(Set.of(ORDERS)));
                  table.put(from.with(Set.of()));
                });
    boolean hasMoved;
    Key found;
    do {
      hasMoved = !move.isAlive();
      found = Objects.requireNonNull(table.resolve(ORDERS.name()));
    } while (!hasMoved);
    assertThat(found.id()).isEqualTo(to.id());
    assertThat(table.find(from.id()).orElseThrow().aliases()).isEmpty();
  }
}

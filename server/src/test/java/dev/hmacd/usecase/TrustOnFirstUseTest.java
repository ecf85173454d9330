package dev.hmacd.usecase;

import static org.assertj.core.api.Assertions.assertThat;

import dev.hmacd.key.ArnScope;
import dev.hmacd.key.Key;
import dev.hmacd.key.KeyId;
import dev.hmacd.key.KeyObject;
import dev.hmacd.key.KeyOrigin;
import dev.hmacd.key.KeySpec;
import dev.hmacd.key.KeyState;
import dev.hmacd.key.KeyVersion;
import dev.hmacd.key.Placement;
import dev.hmacd.limit.Owner;
import dev.hmacd.registry.Registry;
import dev.hmacd.registry.RegistryException;
import dev.hmacd.testing.Lookups;
import dev.hmacd.testing.SoftHsm;
import dev.hmacd.token.FaultyToken;
import dev.hmacd.token.FaultyToken.Call;
import dev.hmacd.token.TestLanes;
import dev.hmacd.token.TokenException;
import dev.hmacd.token.TokenPool;
import dev.hmacd.token.TokenRouter;
import dev.hmacd.token.TokenSession;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// The first use of a key without a check value is an operation of the first caller.
final class TrustOnFirstUseTest {
  private static final Duration LONG = Duration.ofSeconds(60);
  private static final int QUEUE = 4;

  @TempDir Path folder;
  private final FaultyToken token = new FaultyToken(SoftHsm.shared().token());
  private Registry registry;
  private TokenPool pool;
  private TokenRouter tokens;

  @SuppressWarnings("NullAway.Init") // open() sets the fields.
  TrustOnFirstUseTest() {}

  @BeforeEach
  void open() throws TokenException {
    registry =
        new Registry(
            folder.resolve("registry.db"),
            new ArnScope("aws", "eu-central-1", "123456789012"),
            Clock.systemUTC());
    registry.open();
    pool = TestLanes.startedPool(token, 1, QUEUE, LONG);
    tokens = new TokenRouter(pool);
  }

  @AfterEach
  void close() {
    pool.close();
    registry.close();
  }

  /// A key without a check value in the registry.
  private Key key() throws TokenException {
    KeyId id = KeyId.random();
    Key key =
        new Key(
            id,
            KeySpec.HMAC_256,
            KeyState.CREATING,
            KeyOrigin.GENERATED,
            Instant.ofEpochMilli(0),
            "",
            null,
            new KeyVersion(
                1, new Placement(KeyObject.of(id, 1), List.of(token.info().serial())), null, null),
            Set.of());
    var _ = registry.writer().insert(key, List.of()).join();
    try (TokenSession session = SoftHsm.shared().token().open()) {
      return registry.writer().enable(id, session.generate(key.object(), 32), null).join();
    }
  }

  @Test
  void firstUseCountsForTheFirstCaller() throws TokenException {
    var greedy = owner(1);
    var other = owner(2);
    var firstUse = new TrustOnFirstUse(registry.writer(), tokens);
    Key key = key();
    long deadline = System.nanoTime() + LONG.toNanos();
    try (var gate = token.blocking(Call.RANDOM)) {
      var held =
          tokens.submit(
              greedy, token.info().serial(), session -> session.random(1), true, deadline);
      gate.awaitEntered();
      var mine = firstUse.withCheckValue(key(), greedy, 1);
      for (int i = 1; i < QUEUE; i++) {
        var _ =
            tokens.submit(
                greedy, token.info().serial(), session -> session.random(1), true, deadline);
      }
      assertThat(firstUse.withCheckValue(key, greedy, 1))
          .failsWithin(LONG)
          .withThrowableThat()
          .havingCause()
          .isInstanceOfSatisfying(
              TokenException.class,
              e -> assertThat(e.kind()).isEqualTo(TokenException.Kind.OWNER_BUSY));
      var others = firstUse.withCheckValue(key, other, 1);
      assertThat(others).isNotDone();
      gate.release();
      assertThat(held).succeedsWithin(LONG);
      assertThat(mine).succeedsWithin(LONG);
      assertThat(others).succeedsWithin(LONG);
    }
  }

  /// Other callers that wait for the same computation have their own quota.
  @Test
  void waitingCallerRetriesIfTheFirstCallerExceedsItsQuota() throws TokenException {
    var greedy = owner(1);
    var other = owner(2);
    var firstUse = new TrustOnFirstUse(registry.writer(), tokens);
    Key key = key();
    try (var gate = token.blocking(Call.SIGN)) {
      var mine = firstUse.withCheckValue(key, greedy, 1);
      gate.awaitEntered();
      var others = firstUse.withCheckValue(key, other, 1);
      var unfinished = new CompletableFuture<Void>();
      while (!registry.writer().forOwner(greedy, () -> unfinished).isCompletedExceptionally()) {}
      gate.release();
      assertThat(mine)
          .failsWithin(LONG)
          .withThrowableThat()
          .havingCause()
          .isInstanceOfSatisfying(
              RegistryException.class,
              e -> assertThat(e.kind()).isEqualTo(RegistryException.Kind.OWNER_BUSY));
      assertThat(others).succeedsWithin(LONG);
      unfinished.complete(null);
    }
    assertThat(Lookups.find(registry, key.id()).orElseThrow().check()).isNotNull();
  }

  @Test
  void waitingCallsAreBoundedForEachOwnerAndInTotal() throws TokenException {
    var firstUse = new TrustOnFirstUse(registry.writer(), tokens);
    Key key = key();
    List<CompletableFuture<Key>> taken = new ArrayList<>();
    try (var gate = token.blocking(Call.SIGN)) {
      for (int owner = 0; owner < 2; owner++) {
        for (int i = 0; i < 512; i++) {
          taken.add(firstUse.withCheckValue(key, owner(owner), 1));
        }
        if (owner == 0) {
          gate.awaitEntered();
          assertRefused(firstUse.withCheckValue(key, owner(0), 1), TokenException.Kind.OWNER_BUSY);
        }
      }
      assertRefused(firstUse.withCheckValue(key, owner(2), 1), TokenException.Kind.BUSY);
    }
    assertThat(taken).allSatisfy(each -> assertThat(each).succeedsWithin(LONG));
    assertThat(firstUse.withCheckValue(key, owner(2), 1)).succeedsWithin(LONG);
  }

  /// A waiting call holds its message.
  @Test
  void callWithALongMessageCountsForSeveralCalls() throws TokenException {
    var firstUse = new TrustOnFirstUse(registry.writer(), tokens);
    Key key = key();
    List<CompletableFuture<Key>> taken = new ArrayList<>();
    try (var gate = token.blocking(Call.SIGN)) {
      for (int i = 0; i < 32; i++) {
        taken.add(firstUse.withCheckValue(key, owner(0), 65_536));
      }
      gate.awaitEntered();
      assertRefused(firstUse.withCheckValue(key, owner(0), 1), TokenException.Kind.OWNER_BUSY);
      taken.add(firstUse.withCheckValue(key, owner(1), 511 * 4096));
      assertRefused(firstUse.withCheckValue(key, owner(1), 4097), TokenException.Kind.BUSY);
      taken.add(firstUse.withCheckValue(key, owner(1), 4096));
    }
    assertThat(taken).allSatisfy(each -> assertThat(each).succeedsWithin(LONG));
    assertThat(firstUse.withCheckValue(key, owner(0), 65_536)).succeedsWithin(LONG);
  }

  private static Owner owner(int uid) {
    return Owner.of("uid", "uid:" + uid);
  }

  private static void assertRefused(CompletableFuture<Key> call, TokenException.Kind kind) {
    assertThat(call)
        .failsWithin(LONG)
        .withThrowableThat()
        .havingCause()
        .isInstanceOfSatisfying(TokenException.class, e -> assertThat(e.kind()).isEqualTo(kind));
  }
}

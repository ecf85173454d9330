package dev.hmacd.usecase;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.hmacd.access.Access;
import dev.hmacd.access.Action;
import dev.hmacd.access.Principal;
import dev.hmacd.access.PrincipalPattern;
import dev.hmacd.access.Rule;
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
import dev.hmacd.registry.Registry;
import dev.hmacd.testing.Lookups;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Requests for keys that are not in memory. The test holds the thread of the registry.
final class KeyLoadTest {
  private static final ArnScope SCOPE = new ArnScope("aws", "eu-central-1", "123456789012");
  private static final Principal CALLER = Principal.commonName("test");
  private static final Principal STRANGER = Principal.commonName("stranger");

  /// A caller with a rule, but not for GenerateMac.
  private static final Principal OTHER = Principal.commonName("other");

  private static final Failure BUSY = new Failure.RegistryBusy(Failure.Bound.OF_CALLER);
  private static final KeyAttributes READ =
      new KeyAttributes(true, false, true, null, false, true, 32);

  @TempDir Path folder;
  private final Access access =
      new Access(
          List.of(
              new Rule(
                  List.of(PrincipalPattern.parse("cn:test")),
                  EnumSet.of(Action.GENERATE_MAC, Action.DESCRIBE_KEY),
                  List.of(new Rule.KeyPattern.All())),
              new Rule(
                  List.of(PrincipalPattern.parse("cn:other")),
                  EnumSet.of(Action.LIST_KEYS),
                  List.of(new Rule.KeyPattern.All()))));
  private final AtomicLong nanoTime = new AtomicLong();
  private final CountDownLatch held = new CountDownLatch(1);
  private Registry registry;
  private KeyAuthorizer authorizer;
  private KeyId id;
  private KeyId other;

  @SuppressWarnings("NullAway.Init") // open() sets the fields.
  KeyLoadTest() {}

  @BeforeEach
  void open() {
    start();
    id = make();
    other = make();
    registry.writer().createAlias(new Alias("alias/orders"), id, _ -> true).join();
    registry.close();
    start();
  }

  private void start() {
    registry = new Registry(folder.resolve("registry.db"), SCOPE, Clock.systemUTC());
    registry.open();
    authorizer = new KeyAuthorizer(registry.keys(), access, nanoTime::get);
  }

  @AfterEach
  void close() {
    held.countDown();
    registry.close();
  }

  private KeyId make() {
    KeyId made = KeyId.random();
    var key =
        new Key(
            made,
            KeySpec.HMAC_256,
            KeyState.CREATING,
            KeyOrigin.GENERATED,
            Instant.EPOCH,
            "",
            null,
            new KeyVersion(1, new Placement(KeyObject.of(made, 1), List.of("serial")), null, null),
            Set.of());
    registry.writer().insert(key, List.of()).join();
    registry.writer().enable(made, READ, null).join();
    return made;
  }

  /// Holds the registry's thread, within a change that has no effect.
  private void hold() throws InterruptedException {
    var entered = new CountDownLatch(1);
    var _ =
        registry
            .writer()
            .update(
                other,
                _ -> {
                  entered.countDown();
                  try {
                    held.await();
                  } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                  }
                  return Optional.empty();
                });
    entered.await();
  }

  private static Call call(Principal caller, Duration limit) {
    return Call.ofDaemon(caller, System.nanoTime() + limit.toNanos());
  }

  /// A request whose reply, or whose next step, completes a future.
  private final class Request implements Reply<Object> {
    private final CompletableFuture<Object> result = new CompletableFuture<>();
    private final Call call;
    private boolean isAbandoned;

    Request(Principal caller, Duration limit) {
      this.call = call(caller, limit);
    }

    Request() {
      this(CALLER, Duration.ofMinutes(1));
    }

    CompletableFuture<Object> start(String name) {
      authorizer.require(
          call, Action.GENERATE_MAC, name, 1, this, key -> result.complete(key.entry().id()));
      return result;
    }

    @Override
    public void succeed(Object value, Reauthorization check) {
      result.complete(value);
    }

    @Override
    public void fail(Failure failure, Reauthorization check) {
      result.complete(failure);
    }

    @Override
    public boolean isAbandoned() {
      return isAbandoned;
    }
  }

  @Test
  void requestContinuesAfterTheLoad() throws InterruptedException {
    hold();
    CompletableFuture<Object> byId = new Request().start(id.value());
    CompletableFuture<Object> byAlias = new Request().start("alias/orders");
    assertThat(byId).isNotDone();
    assertThat(byAlias).isNotDone();
    held.countDown();
    assertThat(byId.join()).isEqualTo(id);
    assertThat(byAlias.join()).isEqualTo(id);
  }

  @Test
  void keyInMemoryNeedsNoLoad() throws InterruptedException {
    assertThat(Lookups.find(registry, "alias/orders")).isPresent();
    hold();
    assertThat(new Request().start(id.value())).isCompletedWithValue(id);
    assertThat(new Request().start("alias/orders")).isCompletedWithValue(id);
  }

  @Test
  void decisionIsMadeAfterTheLoad() {
    assertThat(new Request(OTHER, Duration.ofMinutes(1)).start(id.value()).join())
        .isInstanceOf(Failure.Denied.class);
    assertThat(new Request().start(KeyId.random().value()).join())
        .isInstanceOf(Failure.KeyNotFound.class);
    assertThat(new Request(OTHER, Duration.ofMinutes(1)).start(KeyId.random().value()).join())
        .isInstanceOf(Failure.Denied.class);
  }

  @Test
  void malformedNameIsRefusedWithoutALoad() throws InterruptedException {
    hold();
    var request = new Request();
    assertThatThrownBy(() -> request.start("not a key"))
        .isInstanceOfSatisfying(
            Refusal.class, e -> assertThat(e.failure()).isInstanceOf(Failure.InvalidKeyId.class));
  }

  @Test
  void requestLeavesAtItsDeadline() throws InterruptedException {
    hold();
    assertThat(new Request(CALLER, Duration.ofMillis(10)).start(id.value()).join())
        .isEqualTo(new Failure.DeadlineExceeded());
  }

  @Test
  void abandonedRequestDoesNotContinue() throws InterruptedException {
    hold();
    var abandoned = new Request();
    CompletableFuture<Object> result = abandoned.start(id.value());
    abandoned.isAbandoned = true;
    CompletableFuture<Object> next = new Request().start(id.value());
    held.countDown();
    assertThat(next.join()).isEqualTo(id);
    assertThat(result).isNotDone();
  }

  @Test
  void oneCallerMayNotTakeAllPlacesOfWaitingCalls() throws InterruptedException {
    hold();
    List<CompletableFuture<Object>> waiting = new ArrayList<>();
    for (int i = 0; i < 512; i++) {
      waiting.add(new Request().start(id.value()));
    }
    assertThat(waiting).noneMatch(CompletableFuture::isDone);
    assertThat(new Request().start(id.value()).join())
        .isEqualTo(new Failure.RegistryBusy(Failure.Bound.OF_CALLER));
    held.countDown();
    assertThat(waiting).allMatch(each -> each.join().equals(id));
    assertThat(new Request().start(other.value()).join()).isEqualTo(other);
  }

  /// Names random keys one after the other, until the answer is not the expected one. The time does
  /// not pass.
  private int guesses(Principal caller, Class<? extends Failure> expected) {
    for (int i = 0; i < 1000; i++) {
      Object answer = answer(caller, KeyId.random().value());
      if (!expected.isInstance(answer)) {
        assertThat(answer).isEqualTo(BUSY);
        return i;
      }
    }
    throw new AssertionError("no guess was refused");
  }

  @Test
  void guessesOfCallersWithoutARuleShareABudget() {
    // Before a read and for the denial.
    assertThat(guesses(STRANGER, Failure.Denied.class)).isEqualTo(125);
    long loaded = registry.loadedEntries();
    assertThat(answer(Principal.commonName("another"), KeyId.random().value())).isEqualTo(BUSY);
    assertThat(registry.loadedEntries()).isEqualTo(loaded);
    assertThat(answer(CALLER, other.value())).isEqualTo(other);
    nanoTime.addAndGet(Duration.ofSeconds(1).toNanos());
    assertThat(guesses(STRANGER, Failure.Denied.class)).isEqualTo(25);
  }

  @Test
  void callerWithARuleHasABudgetOfItsOwn() {
    guesses(STRANGER, Failure.Denied.class);
    assertThat(guesses(CALLER, Failure.KeyNotFound.class)).isEqualTo(100);
    nanoTime.addAndGet(Duration.ofSeconds(1).toNanos());
    assertThat(guesses(CALLER, Failure.KeyNotFound.class)).isEqualTo(20);
  }

  /// A denial costs the same for a key in memory and for an absent one: the budget does not show
  /// which keys exist.
  @Test
  void denialOfAKeyInMemoryCountsLikeAGuess() {
    String absent = KeyId.random().value();
    for (String name : List.of(id.value(), absent)) {
      assertThat(answer(OTHER, name)).isInstanceOf(Failure.Denied.class);
    }
    for (int i = 2; i < 100; i++) {
      assertThat(answer(OTHER, i % 2 == 0 ? id.value() : absent))
          .isInstanceOf(Failure.Denied.class);
    }
    assertThat(answer(OTHER, id.value())).isEqualTo(BUSY);
    assertThat(answer(OTHER, absent)).isEqualTo(BUSY);
    assertThat(answer(OTHER, KeyId.random().value())).isEqualTo(BUSY);
  }

  @Test
  void keysInMemoryNeedNoBudget() {
    assertThat(Lookups.find(registry, id)).isPresent();
    guesses(CALLER, Failure.KeyNotFound.class);
    assertThat(answer(CALLER, id.value())).isEqualTo(id);
  }

  @Test
  void keysThatTheCallerMayUseNeedNoBudget() {
    for (int i = 0; i < 200; i++) {
      registry.close();
      start();
      assertThat(answer(CALLER, id.value())).isEqualTo(id);
    }
  }

  @Test
  void oneWrongNameAgainAndAgainIsReadOnce() {
    String wrong = KeyId.random().value();
    for (int i = 0; i < 1000; i++) {
      assertThat(answer(CALLER, wrong)).isInstanceOf(Failure.KeyNotFound.class);
    }
    assertThat(registry.loadedEntries()).isEqualTo(1);
  }

  private Object answer(Principal caller, String name) {
    var request = new Request(caller, Duration.ofMinutes(1));
    try {
      return request.start(name).join();
    } catch (Refusal e) {
      return e.failure();
    }
  }

  @Test
  void failureOfTheNextStepIsTheReply() {
    for (RuntimeException thrown :
        List.of(
            new Refusal(new Failure.InvalidMac()),
            new IllegalStateException("thrown by the test"))) {
      registry.close();
      start();
      var request = new Request();
      authorizer.require(
          request.call,
          Action.GENERATE_MAC,
          id.value(),
          1,
          request,
          _ -> {
            throw thrown;
          });
      Object failure = request.result.join();
      if (thrown instanceof Refusal) {
        assertThat(failure).isEqualTo(new Failure.InvalidMac());
      } else {
        assertThat(failure).isInstanceOf(Failure.Unforeseen.class);
      }
    }
  }

  @Test
  void decisionIsCurrentUntilItsKeyChanges() {
    var first = new CompletableFuture<AuthorizedKey>();
    authorizer.require(
        call(CALLER, Duration.ofMinutes(1)),
        Action.GENERATE_MAC,
        id.value(),
        1,
        new Request(),
        first::complete);
    AuthorizedKey key = first.join();
    registry.writer().update(other, each -> Optional.of(each.describedAs("other"))).join();
    assertThat(key.isCurrent()).isTrue();
    registry.writer().update(id, each -> Optional.of(each.describedAs("new"))).join();
    assertThat(key.isCurrent()).isFalse();
    assertThat(key.renew().join().isCurrent()).isTrue();
    registry.writer().update(id, each -> Optional.of(each.in(KeyState.DISABLED))).join();
    assertThatThrownBy(() -> key.renew().join()).hasCauseInstanceOf(Refusal.class);
  }
}

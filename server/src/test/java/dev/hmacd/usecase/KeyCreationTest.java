package dev.hmacd.usecase;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.hmacd.access.Principal;
import dev.hmacd.key.ArnScope;
import dev.hmacd.key.DaemonKey;
import dev.hmacd.key.Key;
import dev.hmacd.key.KeyId;
import dev.hmacd.key.KeyObject;
import dev.hmacd.key.KeyOrigin;
import dev.hmacd.key.KeySpec;
import dev.hmacd.key.KeyState;
import dev.hmacd.key.KeyVersion;
import dev.hmacd.key.Placement;
import dev.hmacd.registry.Registry;
import dev.hmacd.testing.Eventually;
import dev.hmacd.testing.Lookups;
import dev.hmacd.testing.SoftHsm;
import dev.hmacd.token.FaultyToken;
import dev.hmacd.token.FaultyToken.Call;
import dev.hmacd.token.FaultyToken.Gate;
import dev.hmacd.token.Provisioning;
import dev.hmacd.token.TestLanes;
import dev.hmacd.token.TokenException;
import dev.hmacd.token.TokenPool;
import dev.hmacd.token.TokenRouter;
import dev.hmacd.token.TokenSession;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.Statement;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.function.Consumer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Token and registry are consistent after each failure of a key's creation.
final class KeyCreationTest {
  private static final Duration LONG = Duration.ofSeconds(30);
  private static final Duration SHORT = Duration.ofMillis(50);

  /// Long enough for a call to reach the token on a busy machine. The test waits for all of it.
  private static final Duration REACHES_THE_TOKEN = Duration.ofSeconds(3);

  @TempDir Path folder;
  private final FaultyToken token = new FaultyToken(SoftHsm.shared().token());
  private Registry registry;
  private TokenPool pool;
  private TokenRouter tokens;
  private KeyRecovery recovery;
  private KeyCreation maker;

  @SuppressWarnings("NullAway.Init") // open() sets the fields.
  KeyCreationTest() {}

  @BeforeEach
  void open() throws TokenException {
    registry =
        new Registry(
            file(), new ArnScope("aws", "eu-central-1", "123456789012"), Clock.systemUTC());
    registry.open();
    DaemonKey healthCheckKey;
    try (TokenSession session = SoftHsm.shared().token().open()) {
      healthCheckKey = Provisioning.ensure(session, DaemonKey.Purpose.PROBE, Optional.empty());
    }
    // One lane: operations end in the order of their start.
    pool = TestLanes.startedPool(token, 1, 100, Duration.ofSeconds(5), healthCheckKey);
    tokens = new TokenRouter(pool);
    recovery = new KeyRecovery(registry, tokens);
    maker = new KeyCreation(registry, tokens, recovery);
  }

  @AfterEach
  void close() {
    pool.close();
    registry.close();
  }

  private Path file() {
    return folder.resolve("registry.db");
  }

  private String serial() {
    return token.info().serial();
  }

  private static Key entry(String serial) {
    KeyId id = KeyId.random();
    return new Key(
        id,
        KeySpec.HMAC_256,
        KeyState.CREATING,
        KeyOrigin.GENERATED,
        Instant.ofEpochMilli(0),
        "",
        null,
        new KeyVersion(1, new Placement(KeyObject.of(id, 1), List.of(serial)), null, null),
        Set.of());
  }

  private CompletableFuture<Key> make(Key key, Duration limit) {
    var call =
        dev.hmacd.usecase.Call.ofDaemon(Principal.uid(0), System.nanoTime() + limit.toNanos());
    return maker.make(call, key, List.of());
  }

  private Optional<KeyState> state(Key key) {
    return Lookups.find(registry, key.id()).map(Key::state);
  }

  private int objects(Key key) throws TokenException {
    try (TokenSession session = SoftHsm.shared().token().open()) {
      return session.find(new TokenSession.Query.ByBoth(key.object())).size();
    }
  }

  private void assertRemoved(Key key) throws TokenException {
    Eventually.holds("the key is removed from the registry", () -> state(key).isEmpty());
    assertThat(objects(key)).isZero();
  }

  private void assertEnabled(Key key) throws TokenException {
    Eventually.holds("the key is enabled", () -> state(key).equals(Optional.of(KeyState.ENABLED)));
    assertThat(objects(key)).isEqualTo(1);
  }

  private static Consumer<Throwable> failsWith(TokenException.Kind kind) {
    return thrown ->
        assertThat(thrown)
            .isInstanceOf(CompletionException.class)
            .cause()
            .isInstanceOfSatisfying(
                TokenException.class, failure -> assertThat(failure.kind()).isEqualTo(kind));
  }

  @Test
  void answeredKeyIsOnTheTokenAndEnabled() throws TokenException {
    Key key = entry(serial());
    assertThat(make(key, LONG).join().state()).isEqualTo(KeyState.ENABLED);
    assertThat(state(key)).contains(KeyState.ENABLED);
    assertThat(objects(key)).isEqualTo(1);
  }

  @Test
  void keyThatTheTokenDidNotGenerateIsRemoved() throws TokenException {
    Key key = entry(serial());
    token.failing(Call.GENERATE, 1, FaultyToken.CKR_DEVICE_ERROR);
    assertThatThrownBy(() -> make(key, LONG).join())
        .satisfies(failsWith(TokenException.Kind.UNAVAILABLE));
    assertRemoved(key);
    assertThat(token.count(Call.GENERATE)).isEqualTo(1);
  }

  @Test
  void keyWithALostAnswerOfTheTokenIsEnabled() throws TokenException {
    Key key = entry(serial());
    token.losingAnswer(Call.GENERATE, FaultyToken.CKR_SESSION_HANDLE_INVALID);
    assertThatThrownBy(() -> make(key, LONG).join())
        .satisfies(failsWith(TokenException.Kind.UNAVAILABLE));
    assertEnabled(key);
  }

  @Test
  void creationCompletesAfterTheCallersDeadline() throws TokenException {
    Key key = entry(serial());
    try (Gate gate = token.blocking(Call.GENERATE)) {
      CompletableFuture<Key> making = make(key, REACHES_THE_TOKEN);
      gate.awaitEntered();
      assertThatThrownBy(making::join).satisfies(failsWith(TokenException.Kind.LATE));
      assertThat(state(key)).contains(KeyState.CREATING);
    }
    assertEnabled(key);
  }

  @Test
  void creationWithADeadlineInTheQueueLeavesNoKey() throws TokenException {
    Key key = entry(serial());
    try (Gate gate = token.blocking(Call.GENERATE)) {
      var _ = make(entry(serial()), LONG);
      gate.awaitEntered();
      assertThatThrownBy(() -> make(key, SHORT).join())
          .satisfies(failsWith(TokenException.Kind.LATE));
      assertRemoved(key);
    }
    assertThat(objects(key)).isZero();
  }

  @Test
  void keyIsNotGeneratedIfItsRowCannotBeWritten() throws Exception {
    Key key = entry(serial());
    try (Connection other = DriverManager.getConnection("jdbc:sqlite:" + file());
        Statement statement = other.createStatement()) {
      statement.execute("BEGIN IMMEDIATE");
      assertThatThrownBy(() -> make(key, LONG).join()).isInstanceOf(CompletionException.class);
      statement.execute("ROLLBACK");
    }
    assertThat(token.count(Call.GENERATE)).isZero();
    assertRemoved(key);
  }

  @Test
  void keyThatCannotBeEnabledIsEnabledAtTheNextStart() throws Exception {
    Key key = entry(serial());
    try (Connection other = DriverManager.getConnection("jdbc:sqlite:" + file());
        Statement statement = other.createStatement();
        Gate gate = token.blockingAnswer(Call.GENERATE)) {
      CompletableFuture<Key> making = make(key, LONG);
      gate.awaitEntered();
      statement.execute("BEGIN IMMEDIATE");
      gate.release();
      assertThatThrownBy(making::join).isInstanceOf(CompletionException.class);
      statement.execute("ROLLBACK");
    }
    assertThat(state(key)).contains(KeyState.CREATING);
    recovery.recoverAll();
    assertEnabled(key);
  }

  @Test
  void recoveryRemovesMissingKeysAndEnablesGeneratedKeys() throws TokenException {
    Key made = registry.writer().insert(entry(serial()), List.of()).join();
    Key notMade = registry.writer().insert(entry(serial()), List.of()).join();
    try (TokenSession session = SoftHsm.shared().token().open()) {
      session.generate(made.object(), 32);
    }
    recovery.recoverAll();
    assertEnabled(made);
    assertRemoved(notMade);
  }

  @Test
  void recoveryKeepsADuplicateKey() throws TokenException {
    Key twice = registry.writer().insert(entry(serial()), List.of()).join();
    try (TokenSession session = SoftHsm.shared().token().open()) {
      session.generate(twice.object(), 32);
      session.generate(twice.object(), 32);
    }
    recovery.recoverAll();
    recoverAnother();
    assertThat(state(twice)).contains(KeyState.CREATING);
    assertThat(objects(twice)).isEqualTo(2);
  }

  @Test
  void recoveryKeepsAKeyOfAnotherToken() throws TokenException {
    Key elsewhere = registry.writer().insert(entry("another"), List.of()).join();
    recovery.recoverAll();
    recoverAnother();
    assertThat(state(elsewhere)).contains(KeyState.CREATING);
  }

  @Test
  void recoveryRemovesNoKeyWhileTheTokenFails() throws TokenException {
    Key made = generatedButNotEnabled();
    token.failing(Call.FIND, 2, FaultyToken.CKR_DEVICE_REMOVED);
    assertSettlingKeeps(made, Call.FIND, 2);
  }

  /// SoftHSM2 leaves such an object if its process is killed during a generation.
  @Test
  void recoveryDestroysAnObjectWithoutAValue() throws TokenException {
    Key halfMade = generatedButNotEnabled();
    token.nothingIsLocal();
    // After each refusal of the key, the lane computes the health check's MAC.
    token
        .failing(Call.SIGN, 1, FaultyToken.CKR_KEY_SIZE_RANGE)
        .passing(Call.SIGN)
        .failing(Call.SIGN, 1, FaultyToken.CKR_KEY_SIZE_RANGE);
    recovery.recoverAll();
    assertRemoved(halfMade);
  }

  @Test
  void recoveryKeepsACompletelyGeneratedObject() throws TokenException {
    Key made = generatedButNotEnabled();
    token.failing(Call.SIGN, 1, FaultyToken.CKR_KEY_SIZE_RANGE);
    assertSettlingKeeps(made, Call.SIGN, 2); // The refused MAC, and the health check's MAC.
  }

  /// Some tokens refuse every key with the same code after a logout.
  @Test
  void recoveryKeepsAnObjectWhileTheTokenRefusesTheHealthCheckKeyToo() throws TokenException {
    Key made = generatedButNotEnabled();
    token.nothingIsLocal();
    token.failing(Call.SIGN, 4, FaultyToken.CKR_KEY_SIZE_RANGE);
    assertSettlingKeeps(made, Call.SIGN, 4); // Two refused MACs in each of two sessions.
  }

  @Test
  void recoveryKeepsAnObjectThatTheTokenRefusesOnce() throws TokenException {
    Key made = generatedButNotEnabled();
    token.nothingIsLocal();
    token.failing(Call.SIGN, 1, FaultyToken.CKR_KEY_SIZE_RANGE);
    recovery.recoverAll();
    assertEnabled(made);
  }

  @Test
  void recoveryKeepsAnObjectThatTheTokenRefusesForAnotherReason() throws TokenException {
    Key made = generatedButNotEnabled();
    token.nothingIsLocal();
    token.failing(Call.SIGN, 2, FaultyToken.CKR_DEVICE_ERROR);
    assertSettlingKeeps(made, Call.SIGN, 2);
  }

  /// Asserts that the recovery keeps the key.
  ///
  /// @param calls number of calls of the kind in the failed recovery
  private void assertSettlingKeeps(Key made, Call kind, int calls) throws TokenException {
    recovery.recoverAll();
    Eventually.holds("the last call has begun", () -> token.count(kind) == calls);
    // An operation on the free lane proves that settling has ended.
    assertThat(tokens.submit(serial(), _ -> true, true, System.nanoTime() + LONG.toNanos()).join())
        .isTrue();
    assertThat(state(made)).contains(KeyState.CREATING);
    recovery.recoverOn(serial());
    assertEnabled(made);
  }

  private Key generatedButNotEnabled() throws TokenException {
    Key creating = registry.writer().insert(entry(serial()), List.of()).join();
    try (TokenSession session = SoftHsm.shared().token().open()) {
      session.generate(creating.object(), 32);
    }
    return creating;
  }

  /// Settles another key, after all earlier keys.
  private void recoverAnother() throws TokenException {
    Key last = registry.writer().insert(entry(serial()), List.of()).join();
    recovery.recoverAll();
    assertRemoved(last);
  }
}

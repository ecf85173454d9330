package dev.hmacd.token;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.hmacd.key.DaemonKey;
import dev.hmacd.key.KeyObject;
import dev.hmacd.key.MacAlgorithm;
import dev.hmacd.limit.Owner;
import dev.hmacd.testing.Eventually;
import dev.hmacd.testing.LogWatch;
import dev.hmacd.testing.SoftHsm;
import dev.hmacd.token.FaultyToken.Call;
import dev.hmacd.token.FaultyToken.Gate;
import dev.hmacd.token.TokenException.Kind;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/// Bounds, recovery, lane watchdog and stop of lanes, on a real token with injected faults.
final class LanesTest {
  private static final byte[] MESSAGE = "hello".getBytes(StandardCharsets.UTF_8);
  private static final Duration LONG = Duration.ofSeconds(30);
  private static final Duration SHORT = Duration.ofMillis(50);

  /// Long enough for a call to reach the token on a busy machine. The test waits for all of it.
  private static final Duration REACHES_THE_TOKEN = Duration.ofSeconds(3);

  private static final KeyObject KEY =
      new KeyObject(SoftHsm.freshLabel("lanes"), UUID.randomUUID().toString().replace("-", ""));
  private static byte[] right = {};

  private final FaultyToken token = new FaultyToken(SoftHsm.shared().token());
  private final List<Lanes> opened = new ArrayList<>();
  private final List<Gate> gates = new ArrayList<>();

  @BeforeAll
  static void makeKey() throws TokenException {
    try (TokenSession session = SoftHsm.shared().token().open()) {
      session.generate(KEY, 32);
      right = session.sign(session.load(KEY), MacAlgorithm.HMAC_SHA_256, MESSAGE);
    }
  }

  @AfterEach
  void close() {
    gates.forEach(Gate::release);
    opened.forEach(Lanes::close);
  }

  private Lanes lanes(int count, int queue) throws TokenException {
    return lanes(count, queue, LONG);
  }

  private Lanes lanes(int count, int queue, Duration stopLimit) throws TokenException {
    Lanes lanes = TestLanes.of(token, count, queue, stopLimit);
    lanes.open();
    lanes.start();
    opened.add(lanes);
    return lanes;
  }

  private Gate blocking(Call call) {
    Gate gate = token.blocking(call);
    gates.add(gate);
    return gate;
  }

  private static RecordedCompletion sign(Lanes lanes, Duration limit) {
    return sign(lanes, limit, new RecordedCompletion());
  }

  private static RecordedCompletion sign(Lanes lanes, Duration limit, RecordedCompletion outcome) {
    long deadline = System.nanoTime() + limit.toNanos();
    lanes.sign(new SignRequest(KEY, null, MacAlgorithm.HMAC_SHA_256, MESSAGE, deadline), outcome);
    return outcome;
  }

  /// A call that blocks the only lane.
  private RecordedCompletion hold(Lanes lanes, Gate gate, Duration limit) {
    RecordedCompletion held = sign(lanes, limit);
    gate.awaitEntered();
    return held;
  }

  @Test
  void callAboveTheQueueLimitIsBusyAtOnce() throws TokenException {
    Gate gate = blocking(Call.SIGN);
    Lanes lanes = lanes(1, 2);
    RecordedCompletion held = hold(lanes, gate, LONG);
    RecordedCompletion first = sign(lanes, LONG);
    RecordedCompletion second = sign(lanes, LONG);
    RecordedCompletion third = sign(lanes, LONG);
    assertThat(third.isAnswered()).isTrue();
    assertThat(third.failure().kind()).isEqualTo(Kind.BUSY);
    assertThat(lanes.waiting()).isEqualTo(2);
    gate.release();
    for (RecordedCompletion each : List.of(held, first, second)) {
      assertThat(each.mac()).isEqualTo(right);
    }
    assertThat(token.count(Call.SIGN)).isEqualTo(3);
  }

  private static RecordedCompletion signFor(Lanes lanes, String principal) {
    return sign(lanes, LONG, new RecordedCompletion(Owner.of("issuer", principal)));
  }

  /// An abandoned call keeps its place until a lane takes it.
  @Test
  void fullQueueEvictsForAnOwnerWithFewerCallsAlsoAbandonedCalls() throws TokenException {
    Gate gate = blocking(Call.SIGN);
    Lanes lanes = lanes(1, 4);
    RecordedCompletion held = signFor(lanes, "greedy");
    gate.awaitEntered();
    List<RecordedCompletion> queued = new ArrayList<>();
    for (int i = 0; i < 4; i++) {
      queued.add(signFor(lanes, "greedy"));
    }
    assertThat(signFor(lanes, "greedy").failure().kind()).isEqualTo(Kind.OWNER_BUSY);
    queued.forEach(RecordedCompletion::abandon);
    assertThat(signFor(lanes, "greedy").failure().kind()).isEqualTo(Kind.OWNER_BUSY);
    RecordedCompletion first = signFor(lanes, "other");
    assertThat(queued.get(3).failure().kind()).isEqualTo(Kind.OWNER_BUSY);
    RecordedCompletion second = signFor(lanes, "other");
    assertThat(queued.get(2).failure().kind()).isEqualTo(Kind.OWNER_BUSY);
    assertThat(signFor(lanes, "other").failure().kind()).isEqualTo(Kind.OWNER_BUSY);
    gate.release();
    for (RecordedCompletion each : List.of(held, first, second)) {
      assertThat(each.mac()).isEqualTo(right);
    }
    assertThat(queued.get(0).failure().kind()).isEqualTo(Kind.LATE);
    assertThat(queued.get(1).failure().kind()).isEqualTo(Kind.LATE);
    assertThat(signFor(lanes, "greedy").mac()).isEqualTo(right);
  }

  /// An operator looks for the client with the most operations.
  @Test
  void refusalsOfAFullQueueNameThePrincipalWithTheMostOperations() throws TokenException {
    String message = "Operations refused: token.queue is full";
    Gate gate = blocking(Call.SIGN);
    Lanes lanes = lanes(1, 4);
    RecordedCompletion held = signFor(lanes, "greedy");
    gate.awaitEntered();
    try (LogWatch log = LogWatch.start()) {
      for (String principal : List.of("other", "greedy", "greedy", "greedy")) {
        RecordedCompletion _ = signFor(lanes, principal);
      }
      assertThat(log.lines(message)).isEmpty();
      RecordedCompletion _ = signFor(lanes, "modest"); // Takes a place of the greedy principal.
      assertThat(signFor(lanes, "modest").failure().kind()).isEqualTo(Kind.OWNER_BUSY);
      assertThat(log.lines(message))
          .singleElement()
          .asString()
          .startsWith("WARN ")
          .contains(
              "token_serial=\"" + SoftHsm.shared().serial() + "\"",
              "owner=\"greedy\"",
              "owner_operations=\"3\"",
              "times=\"1\"");
    }
    gate.release();
    assertThat(held.mac()).isEqualTo(right);
  }

  @Test
  void callOfAnotherOwnerIsBusyIfNoOwnerHasMore() throws TokenException {
    Gate gate = blocking(Call.SIGN);
    Lanes lanes = lanes(1, 2);
    RecordedCompletion held = hold(lanes, gate, LONG);
    RecordedCompletion first = signFor(lanes, "a");
    RecordedCompletion second = signFor(lanes, "b");
    assertThat(signFor(lanes, "c").failure().kind()).isEqualTo(Kind.BUSY);
    gate.release();
    for (RecordedCompletion each : List.of(held, first, second)) {
      assertThat(each.mac()).isEqualTo(right);
    }
  }

  /// The calls of an owner with few calls do not wait for all calls of another owner.
  @Test
  void ownersTakeTurns() throws TokenException {
    Gate gate = blocking(Call.SIGN);
    Lanes lanes = lanes(1, 100);
    RecordedCompletion held = hold(lanes, gate, LONG);
    List<String> order = Collections.synchronizedList(new ArrayList<>());
    List<RecordedCompletion> calls = new ArrayList<>();
    for (String principal : List.of("greedy", "greedy", "greedy", "greedy", "modest", "modest")) {
      var call =
          new RecordedCompletion(Owner.of("issuer", principal)) {
            @Override
            public void done(byte[] value) {
              order.add(principal);
              super.done(value);
            }
          };
      calls.add(sign(lanes, LONG, call));
    }
    gate.release();
    assertThat(held.mac()).isEqualTo(right);
    for (RecordedCompletion call : calls) {
      assertThat(call.mac()).isEqualTo(right);
    }
    assertThat(order).containsExactly("greedy", "modest", "greedy", "modest", "greedy", "greedy");
  }

  /// A failed or late operation leaves the queue.
  @Test
  void endedOperationsNoLongerCountForTheirOwner() throws TokenException {
    Lanes lanes = lanes(1, 1);
    token.failing(Call.SIGN, 2, FaultyToken.CKR_DEVICE_ERROR);
    assertThat(sign(lanes, LONG, new RecordedCompletion(Owner.of("issuer", "a"))).failure().kind())
        .isEqualTo(Kind.UNAVAILABLE);
    Gate gate = blocking(Call.SIGN);
    RecordedCompletion late =
        sign(lanes, REACHES_THE_TOKEN, new RecordedCompletion(Owner.of("issuer", "a")));
    assertThat(late.failure().kind()).isEqualTo(Kind.LATE);
    RecordedCompletion lateInTheQueue =
        sign(lanes, SHORT, new RecordedCompletion(Owner.of("issuer", "a")));
    assertThat(lateInTheQueue.failure().kind()).isEqualTo(Kind.LATE);
    // The lane is still blocked, so only a free place in the queue can accept this operation.
    RecordedCompletion next = sign(lanes, LONG, new RecordedCompletion(Owner.of("issuer", "a")));
    gate.release();
    assertThat(next.mac()).isEqualTo(right);
  }

  /// Otherwise callers that fill the queue could keep a token with wrong MACs in service.
  @Test
  void healthCheckBypassesTheQueue() throws TokenException {
    Gate gate = blocking(Call.SIGN);
    Lanes lanes = lanes(1, 1);
    RecordedCompletion held = hold(lanes, gate, LONG);
    Gate second = blocking(Call.SIGN);
    RecordedCompletion waiting = sign(lanes, LONG);
    RecordedCompletion check = new RecordedCompletion();
    long deadline = System.nanoTime() + LONG.toNanos();
    lanes.checkHealth(new DaemonKey(DaemonKey.Purpose.PROBE, KEY, "00"), deadline, check);
    assertThat(check.isAnswered()).isFalse();
    gate.release();
    assertThat(held.mac()).isEqualTo(right);
    second.awaitEntered();
    assertThat(waiting.isAnswered()).isFalse();
    second.release();
    try (TokenSession session = SoftHsm.shared().token().open()) {
      assertThat(check.mac())
          .isEqualTo(session.sign(session.load(KEY), HealthCheck.ALGORITHM, HealthCheck.message()));
    }
    assertThat(waiting.mac()).isEqualTo(right);
  }

  @Test
  void callWithADeadlineThatPassesInTheQueueNeverReachesTheToken() throws TokenException {
    Gate gate = blocking(Call.SIGN);
    Lanes lanes = lanes(1, 10);
    RecordedCompletion held = hold(lanes, gate, LONG);
    RecordedCompletion waiting = sign(lanes, SHORT);
    assertThat(waiting.failure().kind()).isEqualTo(Kind.LATE);
    assertThat(held.isAnswered()).isFalse();
    assertThat(lanes.waiting()).isZero();
    gate.release();
    assertThat(sign(lanes, LONG).mac()).isEqualTo(right);
    assertThat(token.count(Call.SIGN)).isEqualTo(2);
  }

  @Test
  void callWithAnExpiredDeadlineNeverReachesTheToken() throws TokenException {
    Lanes lanes = lanes(1, 10);
    assertThat(sign(lanes, Duration.ofNanos(-1)).failure().kind()).isEqualTo(Kind.LATE);
    assertThat(sign(lanes, LONG).mac()).isEqualTo(right);
    assertThat(token.count(Call.SIGN)).isEqualTo(1);
  }

  @Test
  void hangingCallIsLateAndBlocksOnlyItsLane() throws TokenException {
    Gate gate = blocking(Call.SIGN);
    Lanes lanes = lanes(2, 10);
    RecordedCompletion hanging = hold(lanes, gate, REACHES_THE_TOKEN);
    assertThat(hanging.failure().kind()).isEqualTo(Kind.LATE); // The call is still blocked.
    for (int i = 0; i < 20; i++) {
      assertThat(sign(lanes, LONG).mac()).isEqualTo(right);
    }
    assertThat(lanes.overdue()).isEqualTo(1);
    Eventually.holds("the other lane is free", () -> lanes.busy() == 1);
    gate.release();
    Eventually.holds("both lanes are free", () -> lanes.overdue() == 0 && lanes.busy() == 0);
    assertThat(hanging.answers()).isEqualTo(1);
  }

  @ParameterizedTest(name = "{0}")
  @CsvSource({
    "CKR_SESSION_HANDLE_INVALID, 0xb3",
    "CKR_SESSION_CLOSED, 0xb0",
    "CKR_OPERATION_ACTIVE, 0x90",
    "CKR_OPERATION_NOT_INITIALIZED, 0x91",
    "CKR_ARGUMENTS_BAD, 0x07",
    "CKR_KEY_SIZE_RANGE, 0x62",
    "CKR_KEY_TYPE_INCONSISTENT, 0x63",
    "CKR_KEY_FUNCTION_NOT_PERMITTED, 0x68",
    "CKR_MECHANISM_INVALID, 0x70",
    "CKR_USER_NOT_LOGGED_IN, 0x101",
    "CKR_GENERAL_ERROR, 0x05",
    "CKR_FUNCTION_FAILED, 0x06",
    "CKR_DEVICE_ERROR, 0x30",
    "CKR_DEVICE_MEMORY, 0x31",
    "CKR_DEVICE_REMOVED, 0x32",
    "CKR_TOKEN_NOT_PRESENT, 0xe0",
    "CKR_CRYPTOKI_NOT_INITIALIZED, 0x190",
    "unknown code, 0x80000123"
  })
  void faultOfSessionLoginOrDeviceIsRetriedOnANewSession(String name, String code)
      throws TokenException {
    assertThat(name).isNotEmpty();
    Lanes lanes = lanes(1, 10);
    assertThat(sign(lanes, LONG).mac()).isEqualTo(right);
    token.failing(Call.SIGN, 1, Long.decode(code));
    assertThat(sign(lanes, LONG).mac()).isEqualTo(right);
    assertThat(token.count(Call.OPEN)).isEqualTo(2);
    assertThat(token.count(Call.SIGN)).isEqualTo(3);
    assertThat(token.sessions()).isEqualTo(1);
  }

  @Test
  void secondConsecutiveFaultIsReportedAndTheNextCallSucceeds() throws TokenException {
    Lanes lanes = lanes(1, 10);
    token.failing(Call.SIGN, 2, FaultyToken.CKR_DEVICE_ERROR);
    assertThat(sign(lanes, LONG).failure().kind()).isEqualTo(Kind.UNAVAILABLE);
    assertThat(token.count(Call.SIGN)).isEqualTo(2);
    assertThat(sign(lanes, LONG).mac()).isEqualTo(right);
    assertThat(token.sessions()).isEqualTo(1);
  }

  @Test
  void faultOfTheObjectSearchesTheKeyAgainOnANewSession() throws TokenException {
    Lanes lanes = lanes(1, 10);
    assertThat(sign(lanes, LONG).mac()).isEqualTo(right);
    assertThat(sign(lanes, LONG).mac()).isEqualTo(right);
    assertThat(token.count(Call.LOAD)).isEqualTo(1);
    token.failing(Call.SIGN, 1, FaultyToken.CKR_OBJECT_HANDLE_INVALID);
    assertThat(sign(lanes, LONG).mac()).isEqualTo(right);
    assertThat(token.count(Call.LOAD)).isEqualTo(2);
    assertThat(token.count(Call.OPEN)).isEqualTo(2);
    assertThat(token.sessions()).isEqualTo(1);
  }

  @Test
  void repeatedFaultOfTheObjectIsReported() throws TokenException {
    Lanes lanes = lanes(1, 10);
    token.failing(Call.SIGN, 2, FaultyToken.CKR_OBJECT_HANDLE_INVALID);
    assertThat(sign(lanes, LONG).failure().kind()).isEqualTo(Kind.UNAVAILABLE);
    assertThat(token.count(Call.SIGN)).isEqualTo(2);
    assertThat(sign(lanes, LONG).mac()).isEqualTo(right);
    assertThat(token.sessions()).isEqualTo(1);
  }

  @Test
  void refusedPinIsNotTriedAgainForTheSameCall() throws TokenException {
    Lanes lanes = lanes(1, 10);
    token.failing(Call.SIGN, 1, FaultyToken.CKR_USER_NOT_LOGGED_IN);
    token.failing(Call.OPEN, 1, FaultyToken.CKR_PIN_INCORRECT);
    TokenException refused = sign(lanes, LONG).failure();
    assertThat(refused.kind()).isEqualTo(Kind.UNAVAILABLE);
    assertThat(refused.isPinRefused()).isTrue();
    assertThat(token.count(Call.OPEN)).isEqualTo(2);
  }

  @Test
  void startWithARefusedPinFailsAfterOneAttempt() throws TokenException {
    token.failing(Call.OPEN, 1, FaultyToken.CKR_PIN_INCORRECT);
    Lanes lanes = TestLanes.of(token, 4, 10, LONG);
    opened.add(lanes);
    assertThatThrownBy(lanes::open)
        .isInstanceOfSatisfying(TokenException.class, e -> assertThat(e.isPinRefused()).isTrue());
    assertThat(token.count(Call.OPEN)).isEqualTo(1);
  }

  @Test
  void keyGenerationIsNotRepeatedAfterAFault() throws TokenException {
    Lanes lanes = lanes(1, 10);
    KeyObject name = new KeyObject(SoftHsm.freshLabel("once"), "0a");
    token.losingAnswer(Call.GENERATE, FaultyToken.CKR_SESSION_HANDLE_INVALID);
    CompletableFuture<?> made =
        lanes.submit(session -> session.generate(name, 32), false, deadline(LONG));
    assertThat(made)
        .failsWithin(LONG)
        .withThrowableThat()
        .havingCause()
        .isInstanceOf(TokenException.class);
    assertThat(token.count(Call.GENERATE)).isEqualTo(1);
    assertThat(
            lanes.submit(
                session -> session.find(new TokenSession.Query.ByBoth(name)), true, deadline(LONG)))
        .succeedsWithin(LONG)
        .satisfies(found -> assertThat(found).hasSize(1));
  }

  private static long deadline(Duration limit) {
    return System.nanoTime() + limit.toNanos();
  }

  @Test
  void abandonedCallNeverReachesTheToken() throws TokenException {
    Gate gate = blocking(Call.SIGN);
    Lanes lanes = lanes(1, 10);
    RecordedCompletion held = hold(lanes, gate, LONG);
    RecordedCompletion gone = sign(lanes, LONG);
    gone.abandon();
    RecordedCompletion last = sign(lanes, LONG);
    gate.release();
    assertThat(held.mac()).isEqualTo(right);
    assertThat(last.mac()).isEqualTo(right);
    assertThat(token.count(Call.SIGN)).isEqualTo(2);
    // The outcome releases the call's place in the number of calls in flight.
    assertThat(gone.failure().kind()).isEqualTo(Kind.LATE);
  }

  /// The search for the object of a key can take long.
  @Test
  void callThatIsAbandonedDuringTheSearchForItsKeyNeverReachesTheToken() throws TokenException {
    Gate gate = blocking(Call.LOAD);
    Lanes lanes = lanes(1, 10);
    RecordedCompletion gone = hold(lanes, gate, LONG);
    gone.abandon();
    gate.release();
    assertThat(gone.failure().kind()).isEqualTo(Kind.LATE);
    assertThat(sign(lanes, LONG).mac()).isEqualTo(right);
    assertThat(token.count(Call.SIGN)).isEqualTo(1);
  }

  @Test
  void withdrawnCallNeverReachesTheToken() throws TokenException {
    Gate gate = blocking(Call.SIGN);
    Lanes lanes = lanes(1, 10);
    RecordedCompletion held = hold(lanes, gate, LONG);
    RecordedCompletion withdrawn = sign(lanes, LONG);
    withdrawn.withdraw();
    RecordedCompletion last = sign(lanes, LONG);
    gate.release();
    assertThat(held.mac()).isEqualTo(right);
    assertThat(last.mac()).isEqualTo(right);
    assertThat(token.count(Call.SIGN)).isEqualTo(2);
    assertThat(withdrawn.failure().kind()).isEqualTo(Kind.WITHDRAWN);
  }

  @Test
  void unforeseenFailureIsReportedAndTheLaneContinues() throws TokenException {
    Lanes lanes = lanes(1, 10);
    CompletableFuture<byte[]> failed =
        lanes.submit(
            _ -> {
              throw new IllegalStateException("unforeseen");
            },
            true,
            deadline(LONG));
    assertThat(failed)
        .failsWithin(LONG)
        .withThrowableThat()
        .havingCause()
        .isInstanceOfSatisfying(
            TokenException.class, e -> assertThat(e.kind()).isEqualTo(Kind.UNAVAILABLE));
    assertThat(sign(lanes, LONG).mac()).isEqualTo(right);
    assertThat(token.count(Call.OPEN)).isEqualTo(2);
  }

  @Test
  void laneSurvivesAnErrorOfTheCompletionAndAnswersTheNextCall() throws TokenException {
    Lanes lanes = lanes(1, 10);
    for (int i = 0; i < 3; i++) {
      var completed = new CountDownLatch(1);
      lanes.sign(
          new SignRequest(KEY, null, MacAlgorithm.HMAC_SHA_256, MESSAGE, deadline(LONG)),
          new Completion<>() {
            @Override
            public void done(byte[] mac) {
              completed.countDown();
              throw new OutOfMemoryError("Cannot reserve 1 bytes of direct buffer memory");
            }

            @Override
            public void failed(TokenException cause) {
              throw new AssertionError(cause);
            }
          });
      Eventually.holds("the call is completed", () -> completed.getCount() == 0);
    }
    assertThat(sign(lanes, LONG).mac()).isEqualTo(right);
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void laneSurvivesACompletionThatThrowsOnAFailure(boolean isError) throws TokenException {
    Lanes lanes = lanes(1, 10);
    token.failing(Call.SIGN, 2, FaultyToken.CKR_DEVICE_ERROR);
    RecordedCompletion throwing =
        sign(
            lanes,
            LONG,
            new RecordedCompletion() {
              @Override
              public void failed(TokenException cause) {
                super.failed(cause);
                if (isError) {
                  throw new StackOverflowError();
                }
                throw new IllegalStateException();
              }
            });
    assertThat(throwing.failure().kind()).isEqualTo(Kind.UNAVAILABLE);
    assertThat(sign(lanes, LONG).mac()).isEqualTo(right);
    assertThat(throwing.answers()).isEqualTo(1);
  }

  @Test
  void laneSurvivesASessionWhoseCloseThrows() throws TokenException {
    Lanes lanes = lanes(1, 10);
    token.closeThrows(true);
    assertThat(sign(lanes, LONG).mac()).isEqualTo(right);
    lanes.reopenSessions();
    assertThat(sign(lanes, LONG).mac()).isEqualTo(right);
    assertThat(token.count(Call.OPEN)).isEqualTo(2);
    token.failing(Call.SIGN, 1, FaultyToken.CKR_DEVICE_ERROR);
    assertThat(sign(lanes, LONG).mac()).isEqualTo(right);
    assertThat(token.count(Call.OPEN)).isEqualTo(3);
    lanes.close();
    assertThat(lanes.all()).isEmpty();
    assertThat(token.sessions()).isZero();
  }

  /// A caller of which the lane cannot decide whether the call is abandoned.
  private static final class Undecidable extends RecordedCompletion {
    @Override
    public boolean isAbandoned() {
      throw new IllegalStateException();
    }
  }

  /// One lane, which is replaced if its call hangs for longer than 100 ms, at most twice.
  private Lanes laneThatIsReplaced() throws TokenException {
    var lanes =
        new Lanes(
            token,
            new Lanes.Settings(1, 10, Duration.ofMillis(100), 2, LONG),
            LaneObserver.NONE,
            FaultListener.NONE);
    lanes.open();
    lanes.start();
    opened.add(lanes);
    return lanes;
  }

  @Test
  void callWhoseCallerThrowsFailsAndTheLaneContinues() throws TokenException {
    Lanes lanes = lanes(1, 10);
    RecordedCompletion undecided = sign(lanes, LONG, new Undecidable());
    assertThat(undecided.failure().kind()).isEqualTo(Kind.UNAVAILABLE);
    assertThat(token.count(Call.SIGN)).isZero();
    assertThat(sign(lanes, LONG).mac()).isEqualTo(right);
  }

  /// The session may be in any state, so its close may hang. The watchdog must see the lane.
  @Test
  void laneWhoseCloseHangsAfterAnExceptionIsReplaced() throws TokenException {
    Lanes lanes = laneThatIsReplaced();
    assertThat(sign(lanes, LONG).mac()).isEqualTo(right);
    Gate close = token.blockingClose();
    gates.add(close);
    RecordedCompletion undecided = sign(lanes, LONG, new Undecidable());
    assertThat(undecided.failure().kind()).isEqualTo(Kind.UNAVAILABLE); // The close still hangs.
    close.awaitEntered();
    Eventually.holds("the lane is replaced", () -> lanes.hanging() == 1);
    assertThat(sign(lanes, LONG).mac()).isEqualTo(right);
    close.release();
    Eventually.holds("the hanging lane has ended", () -> lanes.hanging() == 0);
  }

  /// The call fails closed, and the lane takes the next one.
  @ParameterizedTest
  @ValueSource(classes = {IllegalStateException.class, StackOverflowError.class})
  void callWhoseWithdrawalCannotBeDecidedFails(Class<? extends Throwable> thrown)
      throws TokenException {
    Lanes lanes = lanes(1, 10);
    RecordedCompletion undecided =
        sign(
            lanes,
            LONG,
            new RecordedCompletion() {
              @Override
              public boolean isWithdrawn() {
                if (thrown == StackOverflowError.class) {
                  throw new StackOverflowError();
                }
                throw new IllegalStateException();
              }
            });
    assertThat(undecided.failure().kind()).isEqualTo(Kind.UNAVAILABLE);
    assertThat(token.count(Call.SIGN)).isZero();
    assertThat(sign(lanes, LONG).mac()).isEqualTo(right);
  }

  @Test
  void laneWithoutASessionFailsItsCallsUntilItOpensOne() throws TokenException {
    Lanes lanes = lanes(1, 10);
    token.maxSessions(0);
    token.failing(Call.SIGN, 1, FaultyToken.CKR_SESSION_HANDLE_INVALID);
    for (int i = 0; i < 3; i++) {
      TokenException refused = sign(lanes, LONG).failure();
      assertThat(refused.kind()).isEqualTo(Kind.UNAVAILABLE);
      assertThat(refused).hasMessageContaining("CKR_SESSION_COUNT");
    }
    assertThat(lanes.sessions()).isZero();
    token.maxSessions(1);
    assertThat(sign(lanes, LONG).mac()).isEqualTo(right);
    assertThat(lanes.sessions()).isEqualTo(1);
  }

  @Test
  void laneWithoutASessionLeavesCallsToOtherLanes() throws TokenException {
    token.maxSessions(1);
    Lanes lanes = lanes(3, 100);
    List<RecordedCompletion> outcomes = new ArrayList<>();
    IntStream.range(0, 50).forEach(_ -> outcomes.add(sign(lanes, LONG)));
    for (RecordedCompletion each : outcomes) {
      assertThat(each.mac()).isEqualTo(right);
    }
    assertThat(lanes.sessions()).isEqualTo(1);
    assertThat(lanes.circuit().isInService()).isTrue();
  }

  @Test
  void watchdogReplacesHangingLanesUpToTheLimitAndTheyEndAfterTheirCall() throws TokenException {
    Lanes lanes = laneThatIsReplaced();
    List<Gate> held = new ArrayList<>();
    for (int i = 1; i <= 3; i++) {
      Gate gate = blocking(Call.SIGN);
      held.add(gate);
      assertThat(hold(lanes, gate, REACHES_THE_TOKEN).failure().kind()).isEqualTo(Kind.LATE);
      int hanging = Math.min(i, 2);
      Eventually.holds("the lane is replaced", () -> lanes.hanging() == hanging);
    }
    // Three lanes hang and two are replaced: no lane is free.
    assertThat(sign(lanes, Duration.ofMillis(300)).failure().kind()).isEqualTo(Kind.LATE);
    assertThat(lanes.hanging()).isEqualTo(2);
    assertThat(token.sessions()).isEqualTo(3);
    held.getFirst().release();
    Eventually.holds("the third lane is replaced", () -> sign(lanes, LONG).mac().length > 0);
    held.forEach(Gate::release);
    Eventually.holds(
        "all other lanes have ended", () -> lanes.hanging() == 0 && token.sessions() == 1);
    assertThat(sign(lanes, LONG).mac()).isEqualTo(right);
  }

  @Test
  void closeCompletesAcceptedCallsAndRefusesNewCalls() throws Exception {
    Gate gate = blocking(Call.SIGN);
    Lanes lanes = lanes(1, 10);
    List<RecordedCompletion> taken = new ArrayList<>(List.of(hold(lanes, gate, LONG)));
    IntStream.range(0, 5).forEach(_ -> taken.add(sign(lanes, LONG)));
    Thread closing = Thread.ofPlatform().start(lanes::close);
    Eventually.holds("the lanes refuse calls", () -> isRefused(sign(lanes, SHORT)));
    assertThat(taken).noneMatch(RecordedCompletion::isAnswered);
    gate.release();
    assertThat(closing.join(LONG)).isTrue();
    for (RecordedCompletion each : taken) {
      assertThat(each.mac()).isEqualTo(right);
      assertThat(each.answers()).isEqualTo(1);
    }
    assertThat(token.sessions()).isZero();
  }

  private static boolean isRefused(RecordedCompletion outcome) {
    return outcome.hasFailed(Kind.STOPPED);
  }

  @Test
  void closeAnswersTheCallOfAHangingLane() throws TokenException {
    Gate gate = blocking(Call.SIGN);
    Lanes lanes = lanes(1, 10, Duration.ofMillis(100));
    RecordedCompletion hanging = hold(lanes, gate, LONG);
    RecordedCompletion waiting = sign(lanes, LONG);
    lanes.close(); // The call is still blocked.
    assertThat(hanging.isAnswered()).isTrue();
    assertThat(hanging.failure().kind()).isEqualTo(Kind.STOPPED);
    assertThat(waiting.isAnswered()).isTrue();
    assertThat(waiting.failure().kind()).isEqualTo(Kind.STOPPED);
    gate.release();
    Eventually.holds("the session is closed", () -> token.sessions() == 0);
    assertThat(hanging.answers()).isEqualTo(1);
  }

  /// The stop waits for the lanes that exist at its start.
  @Test
  void hangingLaneIsNotReplacedAfterTheStop() throws TokenException {
    Gate gate = blocking(Call.SIGN);
    Lanes lanes = lanes(1, 10, SHORT);
    RecordedCompletion hanging = hold(lanes, gate, LONG);
    lanes.close();
    Lane lane = lanes.all().getFirst();
    assertThat(lanes.replace(lane)).isFalse();
    assertThat(lane.isRetired()).isFalse();
    assertThat(lanes.all()).containsExactly(lane);
    assertThat(hanging.failure().kind()).isEqualTo(Kind.STOPPED);
  }

  @Test
  void everyCallIsAnsweredOnceDuringAConcurrentClose() throws Exception {
    for (int round = 0; round < 30; round++) {
      Lanes lanes = lanes(1, 1);
      CountDownLatch go = new CountDownLatch(1);
      List<List<RecordedCompletion>> outcomes = new ArrayList<>();
      List<Thread> callers = new ArrayList<>();
      for (int i = 0; i < 8; i++) {
        List<RecordedCompletion> mine = new ArrayList<>();
        outcomes.add(mine);
        callers.add(
            Thread.ofPlatform()
                .start(
                    () -> {
                      go.countDown();
                      do {
                        mine.add(sign(lanes, LONG));
                      } while (!isRefused(mine.getLast()));
                    }));
      }
      go.await();
      lanes.close();
      for (Thread caller : callers) {
        assertThat(caller.join(LONG)).isTrue();
      }
      for (List<RecordedCompletion> mine : outcomes) {
        assertThat(mine).allMatch(outcome -> outcome.answers() == 1);
        assertThat(mine.getLast().hasFailed(Kind.STOPPED)).isTrue();
      }
    }
  }

  @Test
  void closeBeforeStartOrTwiceIsSafe() throws TokenException {
    Lanes never = TestLanes.of(token, 1, 1, LONG);
    never.close();
    assertThat(sign(never, LONG).failure().kind()).isEqualTo(Kind.STOPPED);
    Lanes lanes = lanes(1, 1);
    lanes.close();
    lanes.close();
    assertThat(token.sessions()).isZero();
  }

  @Test
  void laneUnloadsTheLeastRecentlyUsedKey() throws TokenException {
    FaultyToken token =
        new FaultyToken(
                Pkcs11Token.find(
                    SoftHsm.shared().module(),
                    new TokenSelector.ByLabel(SoftHsm.LABEL),
                    new PinFile(SoftHsm.shared().pinFile()),
                    new Pkcs11Token.Use(false, false)))
            .everyKeyIs(KEY);
    Lanes lanes = TestLanes.of(token, 1, 10, LONG);
    opened.add(lanes);
    lanes.open();
    lanes.start();
    int most = 4096;
    for (int i = 0; i < most; i++) {
      signUnder(lanes, i);
    }
    assertThat(token.count(Call.UNLOAD)).isZero();
    // The first key was used again, so the lane unloads another key.
    signUnder(lanes, 0);
    signUnder(lanes, most);
    assertThat(token.count(Call.UNLOAD)).isEqualTo(1);
    int loads = token.count(Call.LOAD);
    signUnder(lanes, 0);
    assertThat(token.count(Call.LOAD)).isEqualTo(loads);
    signUnder(lanes, 1);
    assertThat(token.count(Call.LOAD)).isEqualTo(loads + 1);
    // A failed unload does not fail the call of another key.
    token.failing(Call.UNLOAD, 1, FaultyToken.CKR_OBJECT_HANDLE_INVALID);
    signUnder(lanes, most + 1);
  }

  @Test
  void unfitKeyIsLoggedOnceUntilItIsLoadedAgain() throws TokenException {
    SoftHsm hsm = SoftHsm.shared();
    KeyObject key = new KeyObject(SoftHsm.freshLabel("unfit"), SoftHsm.freshId());
    byte[] value = new byte[32];
    String[] unfit = {"--sensitive", "--private", "--extractable"};
    String rule = "CKA_EXTRACTABLE is true and must be false";
    Lanes lanes = lanes(2, 10);
    try (LogWatch log = LogWatch.start()) {
      hsm.importKey(key.label(), key.idHex(), value, unfit);
      for (int i = 0; i < 10; i++) {
        assertThat(signUnder(lanes, key).failure().kind()).isEqualTo(Kind.KEY_UNFIT);
      }
      assertThat(
              log.lines(
                  "WARN Key not usable: its attributes do not permit MACs",
                  key.label(),
                  hsm.token().info().serial(),
                  rule))
          .hasSize(1);
      hsm.delete(key.label());
      hsm.importKey(key.label(), key.idHex(), value);
      assertThat(signUnder(lanes, key).mac()).hasSize(32);
      hsm.delete(key.label());
      hsm.importKey(key.label(), key.idHex(), value, unfit);
      lanes.evict(key);
      Eventually.holds(
          "the lanes have unloaded their copies",
          () -> signUnder(lanes, key).macUnless(Kind.KEY_UNFIT).isEmpty());
      assertThat(
              log.lines(
                  "WARN Key not usable: its attributes do not permit MACs", key.label(), rule))
          .hasSize(2);
    }
  }

  private static RecordedCompletion signUnder(Lanes lanes, KeyObject key) {
    RecordedCompletion outcome = new RecordedCompletion();
    lanes.sign(
        new SignRequest(key, null, MacAlgorithm.HMAC_SHA_256, MESSAGE, deadline(LONG)), outcome);
    return outcome;
  }

  private static void signUnder(Lanes lanes, int number) {
    KeyObject key = new KeyObject("key " + number, "");
    RecordedCompletion outcome = new RecordedCompletion();
    lanes.sign(
        new SignRequest(key, null, MacAlgorithm.HMAC_SHA_256, MESSAGE, deadline(LONG)), outcome);
    assertThat(outcome.mac()).isEqualTo(right);
  }
}

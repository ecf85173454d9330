package dev.hmacd.token;

import static dev.hmacd.testing.Reasons.failsWith;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.protobuf.ByteString;
import dev.hmacd.testing.Caller;
import dev.hmacd.testing.Eventually;
import dev.hmacd.testing.FaultModule;
import dev.hmacd.testing.LogWatch;
import dev.hmacd.testing.LoopbackDaemon;
import dev.hmacd.testing.MacLoad;
import dev.hmacd.testing.SettableClock;
import dev.hmacd.testing.SoftHsm;
import dev.hmacd.testing.Storage;
import dev.hmacd.v1.KeySpec;
import dev.hmacd.v1.KeyState;
import dev.hmacd.v1.ScheduleKeyDeletionRequest;
import io.grpc.Status.Code;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.locks.LockSupport;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// A token loses its storage while a daemon uses it: the folder is away and comes back, or another
/// is in its place. Copies of keys in the daemon's sessions go on computing MACs all the while.
@Tag("slow")
final class StorageLossTest {
  private static final KeySpec SPEC = KeySpec.KEY_SPEC_HMAC_256;
  private static final Duration DEADLINE = Duration.ofSeconds(60);
  private static final int CALLERS = 3;

  private final SoftHsm hsm = SoftHsm.shared().another();
  private final FaultModule module = FaultModule.inFrontOf(hsm);
  private final Storage storage = Storage.of(hsm);
  private final SettableClock clock = new SettableClock(Instant.now());
  private final LoopbackDaemon daemon =
      LoopbackDaemon.on(hsm)
          .allowingSocket()
          .clock(clock)
          .alsoOn(hsm, module.file())
          .token("lanes: 3")
          .token("probe_timeout: 2s");
  private final LogWatch log = LogWatch.start();
  private final List<AutoCloseable> opened = new ArrayList<>(List.of(log, daemon));

  @AfterEach
  void close() throws Exception {
    for (AutoCloseable each : opened.reversed()) {
      each.close();
    }
  }

  private Caller start(String interval) {
    return daemon.token("probe_interval: " + interval).start().onSocket();
  }

  /// The id of a key that a ceremony put on tokens, and whose value is its label.
  private static String adopted(Caller caller, String label, SoftHsm... tokens) {
    String id = SoftHsm.freshId();
    for (SoftHsm token : tokens) {
      token.importKey(label, id, secret(label));
    }
    return caller.adopt(label, SPEC).getKeyId();
  }

  private static byte[] secret(String label) {
    return Arrays.copyOf(label.getBytes(StandardCharsets.UTF_8), 32);
  }

  private static void requireRight(Caller caller, String key, String label) {
    assertThat(ByteString.copyFrom(caller.generateMac(key, "message"))).isEqualTo(mac(label));
  }

  private static ByteString mac(String label) {
    try {
      var mac = Mac.getInstance("HmacSHA256");
      mac.init(new SecretKeySpec(secret(label), "HmacSHA256"));
      return ByteString.copyFrom(mac.doFinal("message".getBytes(StandardCharsets.UTF_8)));
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException(e);
    }
  }

  private static void requireOut(Runnable call) {
    assertThatThrownBy(call::run).satisfies(failsWith(Code.UNAVAILABLE, "TOKEN_UNAVAILABLE"));
  }

  private static void requireMissing(Caller caller, String key) {
    assertThatThrownBy(() -> caller.generateMac(key, "message"))
        .satisfies(failsWith(Code.UNAVAILABLE, "KEY_UNAVAILABLE"));
  }

  private static boolean answers(Caller caller, String key) {
    try {
      return caller.generateMac(key, "message").length > 0;
    } catch (StatusRuntimeException e) {
      assertThat(e).satisfies(failsWith(Code.UNAVAILABLE, "TOKEN_UNAVAILABLE"));
      return false;
    }
  }

  private boolean isServing() {
    return daemon.metric("hmacd_token_healthy") == 1;
  }

  private void awaitOut() {
    Eventually.holds("out of service", () -> !isServing());
  }

  private void awaitServing() {
    Eventually.holds("in service", this::isServing);
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 4})
  void everyKeyIsBackWhenTheStorageIs(int seconds) {
    Caller caller = start("50ms");
    String used = adopted(caller, "used", hsm);
    String unused = adopted(caller, "unused", hsm);
    try (MacLoad load = new MacLoad(caller, List.of(used), DEADLINE).start(CALLERS)) {
      load.awaitCalm(200);
      storage.takeAway();
      long end = System.nanoTime() + Duration.ofSeconds(seconds).toNanos();
      requireOut(() -> caller.generateMac(unused, "message"));
      awaitOut();
      while (System.nanoTime() - end < 0) {
        requireOut(() -> caller.generateMac(used, "message"));
        requireOut(() -> caller.generateMac(unused, "message"));
        requireOut(() -> caller.createKey(SPEC));
        assertThat(isServing()).isFalse();
        LockSupport.parkNanos(Duration.ofMillis(5).toNanos());
      }
      assertThat(caller.describe(unused).getKeyState()).isEqualTo(KeyState.KEY_STATE_ENABLED);
      long back = System.nanoTime();
      storage.giveBack();
      Eventually.holds("a key that was not used answers", () -> answers(caller, unused));
      System.out.printf(
          "storage away for %d s: back in service after %d ms%n",
          seconds, Duration.ofNanos(System.nanoTime() - back).toMillis());
      awaitServing();
      requireRight(caller, used, "used");
      requireRight(caller, unused, "unused");
      assertThat(caller.generateMac(caller.createKey(SPEC), "message")).hasSize(32);
      load.awaitCalm(200);
      assertThat(load.wrong()).isZero();
      assertThat(load.failures().keySet()).isSubsetOf(Code.UNAVAILABLE);
    }
  }

  /// SoftHSM2 finds nothing from then on, and goes on with handles that it gave before. No health
  /// check was due in between.
  @Test
  void keysAreFoundAgainAfterAnOutageThatNoHealthCheckSaw() {
    Caller caller = start("1h");
    String unused = adopted(caller, "unused", hsm);
    storage.takeAway();
    requireOut(() -> caller.generateMac(unused, "message"));
    storage.giveBack();
    Eventually.holds("it answers", () -> answers(caller, unused));
    requireRight(caller, unused, "unused");
  }

  @Test
  void dueKeyIsNotForgottenWhileTheStorageIsAway() {
    Caller caller = start("1h");
    String due = adopted(caller, "due", hsm);
    var _ =
        caller
            .keys()
            .scheduleKeyDeletion(
                ScheduleKeyDeletionRequest.newBuilder()
                    .setKeyId(due)
                    .setPendingWindowInDays(7)
                    .build());
    storage.takeAway();
    clock.advance(Duration.ofDays(8));
    awaitOut();
    storage.giveBack();
    awaitServing();
    var _ = daemon.restart(); // It destroys at once what is due; else within a minute.
    Eventually.holds("it is destroyed", () -> !hsm.list().contains("due"));
  }

  @Test
  void tokenThatWasInitialisedAnewStaysOutOfService() {
    Caller caller = start("50ms");
    String used = adopted(caller, "used", hsm);
    String unused = adopted(caller, "unused", hsm);
    requireRight(caller, used, "used");
    hsm.initializeAnew();
    awaitOut();
    long initialised = module.count("C_Initialize");
    Eventually.holds(
        "it was initialised twice", () -> module.count("C_Initialize") >= initialised + 2);
    assertThat(isServing()).isFalse();
    requireOut(() -> caller.generateMac(used, "message"));
    requireOut(() -> caller.generateMac(unused, "message"));
    requireOut(() -> caller.createKey(SPEC));
    assertThat(log.count("Health check key not usable", "the token has no secret keys"))
        .isPositive();
  }

  @Test
  void olderCopyWithoutTheHealthChecksKeyStaysOutOfService() {
    hsm.importKey("before", SoftHsm.freshId(), secret("before"));
    Path older = storage.copy();
    Caller caller = start("50ms");
    String used = adopted(caller, "used", hsm);
    requireRight(caller, used, "used");
    storage.takeAway();
    awaitOut();
    storage.replaceBy(older);
    Eventually.holds(
        "it says so",
        () -> log.count("Health check key not usable", "the token has other secret keys: 1") > 0);
    long initialised = module.count("C_Initialize");
    Eventually.holds("it was initialised", () -> module.count("C_Initialize") > initialised);
    assertThat(isServing()).isFalse();
    requireOut(() -> caller.generateMac(used, "message"));
    storage.giveBack();
    awaitServing();
    requireRight(caller, used, "used");
  }

  @Test
  void olderCopyServesTheKeysThatItHas() {
    Caller caller = start("50ms");
    String older = adopted(caller, "older", hsm);
    Path copy = storage.copy();
    String newer = adopted(caller, "newer", hsm);
    try (MacLoad load = new MacLoad(caller, List.of(newer), DEADLINE).start(CALLERS)) {
      load.awaitCalm(200);
    }
    storage.takeAway();
    awaitOut();
    storage.replaceBy(copy);
    awaitServing();
    requireRight(caller, older, "older");
    for (int i = 0; i < 10; i++) {
      requireMissing(caller, newer);
    }
    assertThat(isServing()).isTrue();
  }

  /// As an administrator of the token does, or another daemon.
  @Test
  void keysThatSomebodyDeletesTakeNothingOutOfService() {
    Caller caller = start("50ms");
    String used = adopted(caller, "used", hsm);
    List<String> deleted = new ArrayList<>();
    for (String label : List.of("first", "second", "third")) {
      deleted.add(adopted(caller, label, hsm));
    }
    try (MacLoad load = new MacLoad(caller, List.of(used), DEADLINE).start(CALLERS)) {
      load.awaitCalm(200);
      List.of("first", "second", "third").forEach(hsm::delete);
      for (int i = 0; i < 20; i++) {
        deleted.forEach(key -> requireMissing(caller, key));
      }
      load.awaitCalm(200);
      assertThat(load.failures()).isEmpty();
    }
    assertThat(log.count("Key not found on the token")).isEqualTo(3);
    assertThat(log.count("NOT_SERVING")).isZero();
    assertThat(caller.describe(deleted.getFirst()).getKeyState())
        .isEqualTo(KeyState.KEY_STATE_UNAVAILABLE);
  }

  @Test
  void otherTokenServesWhileTheStorageOfOneIsAway() {
    SoftHsm other = SoftHsm.shared().another();
    Caller caller =
        daemon
            .alsoOn(other, FaultModule.inFrontOf(other).file())
            .token("probe_interval: 50ms")
            .start()
            .onSocket();
    Eventually.holds("both serve", () -> daemon.metric("hmacd_token_healthy") == 2);
    String both = adopted(caller, "both", hsm, other);
    String lost = adopted(caller, "lost", hsm);
    try (MacLoad load = new MacLoad(caller, List.of(both), DEADLINE).start(CALLERS)) {
      load.awaitCalm(200);
      storage.takeAway();
      requireOut(() -> caller.generateMac(lost, "message"));
      Eventually.holds("one is out", () -> daemon.metric("hmacd_token_healthy") == 1);
      load.awaitCalm(200);
      requireRight(caller, both, "both");
      requireOut(() -> caller.generateMac(lost, "message"));
      storage.giveBack();
      Eventually.holds("both serve", () -> daemon.metric("hmacd_token_healthy") == 2);
      requireRight(caller, lost, "lost");
      load.awaitCalm(200);
      assertThat(load.wrong()).isZero();
      assertThat(load.failures()).isEmpty();
    }
  }

  /// As `hsm-config/softhsm2` tells operators: each token has a copy of the module's file, which
  /// the dynamic linker loads as a module of its own.
  @ParameterizedTest
  @ValueSource(ints = {1, 4})
  void tokenWithACopyOfTheModuleComesBackBesideTheOther(int seconds, @TempDir Path folder)
      throws IOException {
    SoftHsm other = SoftHsm.shared().another();
    try (var two =
        LoopbackDaemon.on(hsm)
            .allowingSocket()
            .alsoOn(hsm, Files.copy(hsm.module(), folder.resolve("first.so")))
            .alsoOn(other, Files.copy(other.module(), folder.resolve("second.so")))
            .limit("max_call_time: 60s")
            .token("probe_interval: 50ms")
            .token("probe_timeout: 60s")) { // An absent storage is an error at once.
      Caller caller = two.start().onSocket();
      Eventually.holds("both serve", () -> two.metric("hmacd_token_healthy") == 2);
      String both = adopted(caller, "both", hsm, other);
      String used = adopted(caller, "used", hsm);
      String unused = adopted(caller, "unused", hsm);
      requireRight(caller, used, "used");
      try (MacLoad load = new MacLoad(caller, List.of(both), DEADLINE).start(CALLERS)) {
        load.awaitCalm(200);
        storage.takeAway();
        long end = System.nanoTime() + Duration.ofSeconds(seconds).toNanos();
        Eventually.holds("one is out", () -> two.metric("hmacd_token_healthy") == 1);
        while (System.nanoTime() - end < 0) {
          requireRight(caller, both, "both");
          requireOut(() -> caller.generateMac(used, "message"));
          requireOut(() -> caller.generateMac(unused, "message"));
          LockSupport.parkNanos(Duration.ofMillis(5).toNanos());
        }
        long back = System.nanoTime();
        storage.giveBack();
        for (String key : List.of(unused, used)) {
          Eventually.holds("a key of the lost token answers", () -> answers(caller, key));
        }
        System.out.printf(
            "storage of one of two tokens away for %d s: its keys back after %d ms%n",
            seconds, Duration.ofNanos(System.nanoTime() - back).toMillis());
        Eventually.holds("both serve", () -> two.metric("hmacd_token_healthy") == 2);
        requireRight(caller, used, "used");
        requireRight(caller, unused, "unused");
        load.awaitCalm(200);
        assertThat(load.wrong()).isZero();
        assertThat(load.failures()).isEmpty();
      }
      assertThat(log.count("NOT_SERVING")).isZero();
    }
  }
}

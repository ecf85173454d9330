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

/// A token loses its storage under a running daemon: the folder is removed and restored, or
/// replaced. Session copies of keys still compute MACs meanwhile.
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

  /// Adopts a key that a key ceremony created on these tokens. The value of the key is its label.
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
    Eventually.holds("the token is out of service", () -> !isServing());
  }

  private void awaitServing() {
    Eventually.holds("the token is in service", this::isServing);
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 4})
  void everyKeyIsServedAfterTheStorageIsRestored(int seconds) {
    Caller caller = start("50ms");
    String used = adopted(caller, "used", hsm);
    String unused = adopted(caller, "unused", hsm);
    try (MacLoad load = new MacLoad(caller, List.of(used), DEADLINE).start(CALLERS)) {
      load.awaitSuccess(200);
      storage.remove();
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
      storage.restore();
      Eventually.holds("an unused key is served", () -> answers(caller, unused));
      System.out.printf(
          "storage away for %d s: back in service after %d ms%n",
          seconds, Duration.ofNanos(System.nanoTime() - back).toMillis());
      awaitServing();
      requireRight(caller, used, "used");
      requireRight(caller, unused, "unused");
      assertThat(caller.generateMac(caller.createKey(SPEC), "message")).hasSize(32);
      load.awaitSuccess(200);
      assertThat(load.wrong()).isZero();
      assertThat(load.failures().keySet()).isSubsetOf(Code.UNAVAILABLE);
    }
  }

  /// SoftHSM2 finds no object after the outage, but handles stay valid. No health check runs during
  /// the outage.
  @Test
  void keysAreFoundAfterAnOutageWithoutAHealthCheck() {
    Caller caller = start("1h");
    String unused = adopted(caller, "unused", hsm);
    storage.remove();
    requireOut(() -> caller.generateMac(unused, "message"));
    storage.restore();
    Eventually.holds("the key is served", () -> answers(caller, unused));
    requireRight(caller, unused, "unused");
  }

  @Test
  void dueKeyIsDestroyedAfterTheStorageIsRestored() {
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
    storage.remove();
    clock.advance(Duration.ofDays(8));
    awaitOut();
    storage.restore();
    awaitServing();
    var _ = daemon.restart(); // A start destroys due keys at once.
    Eventually.holds("the key is destroyed", () -> !hsm.list().contains("due"));
  }

  @Test
  void emptyTokenStaysOutOfService() {
    Caller caller = start("50ms");
    String used = adopted(caller, "used", hsm);
    String unused = adopted(caller, "unused", hsm);
    requireRight(caller, used, "used");
    hsm.reinitialize();
    awaitOut();
    long initialised = module.count("C_Initialize");
    Eventually.holds(
        "the module was initialized twice", () -> module.count("C_Initialize") >= initialised + 2);
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
    storage.remove();
    awaitOut();
    storage.replaceBy(older);
    Eventually.holds(
        "the fault is logged",
        () -> log.count("Health check key not usable", "the token has other secret keys: 1") > 0);
    long initialised = module.count("C_Initialize");
    Eventually.holds(
        "the module was initialized", () -> module.count("C_Initialize") > initialised);
    assertThat(isServing()).isFalse();
    requireOut(() -> caller.generateMac(used, "message"));
    storage.restore();
    awaitServing();
    requireRight(caller, used, "used");
  }

  @Test
  void olderCopyServesItsKeys() {
    Caller caller = start("50ms");
    String older = adopted(caller, "older", hsm);
    Path copy = storage.copy();
    String newer = adopted(caller, "newer", hsm);
    try (MacLoad load = new MacLoad(caller, List.of(newer), DEADLINE).start(CALLERS)) {
      load.awaitSuccess(200);
    }
    storage.remove();
    awaitOut();
    storage.replaceBy(copy);
    awaitServing();
    requireRight(caller, older, "older");
    for (int i = 0; i < 10; i++) {
      requireMissing(caller, newer);
    }
    assertThat(isServing()).isTrue();
  }

  /// Another program deletes keys on the token.
  @Test
  void deletedKeysKeepTheTokenInService() {
    Caller caller = start("50ms");
    String used = adopted(caller, "used", hsm);
    List<String> deleted = new ArrayList<>();
    for (String label : List.of("first", "second", "third")) {
      deleted.add(adopted(caller, label, hsm));
    }
    try (MacLoad load = new MacLoad(caller, List.of(used), DEADLINE).start(CALLERS)) {
      load.awaitSuccess(200);
      List.of("first", "second", "third").forEach(hsm::delete);
      for (int i = 0; i < 20; i++) {
        deleted.forEach(key -> requireMissing(caller, key));
      }
      load.awaitSuccess(200);
      assertThat(load.failures()).isEmpty();
    }
    assertThat(log.count("Key not found on the token")).isEqualTo(3);
    assertThat(log.count("NOT_SERVING")).isZero();
    assertThat(caller.describe(deleted.getFirst()).getKeyState())
        .isEqualTo(KeyState.KEY_STATE_UNAVAILABLE);
  }

  @Test
  void otherTokenServesDuringALossOfStorage() {
    SoftHsm other = SoftHsm.shared().another();
    Caller caller =
        daemon
            .alsoOn(other, FaultModule.inFrontOf(other).file())
            .token("probe_interval: 50ms")
            .start()
            .onSocket();
    Eventually.holds("both tokens are in service", () -> daemon.metric("hmacd_token_healthy") == 2);
    String both = adopted(caller, "both", hsm, other);
    String lost = adopted(caller, "lost", hsm);
    try (MacLoad load = new MacLoad(caller, List.of(both), DEADLINE).start(CALLERS)) {
      load.awaitSuccess(200);
      storage.remove();
      requireOut(() -> caller.generateMac(lost, "message"));
      Eventually.holds(
          "one token is out of service", () -> daemon.metric("hmacd_token_healthy") == 1);
      load.awaitSuccess(200);
      requireRight(caller, both, "both");
      requireOut(() -> caller.generateMac(lost, "message"));
      storage.restore();
      Eventually.holds(
          "both tokens are in service", () -> daemon.metric("hmacd_token_healthy") == 2);
      requireRight(caller, lost, "lost");
      load.awaitSuccess(200);
      assertThat(load.wrong()).isZero();
      assertThat(load.failures()).isEmpty();
    }
  }

  /// Each token has its own copy of the module's file, as `hsm-config/softhsm2` recommends. The
  /// dynamic linker loads each copy as a separate module.
  @ParameterizedTest
  @ValueSource(ints = {1, 4})
  void tokenWithItsOwnModuleFileRecoversBesideTheOther(int seconds, @TempDir Path folder)
      throws IOException {
    SoftHsm other = SoftHsm.shared().another();
    try (var two =
        LoopbackDaemon.on(hsm)
            .allowingSocket()
            .alsoOn(hsm, Files.copy(hsm.module(), folder.resolve("first.so")))
            .alsoOn(other, Files.copy(other.module(), folder.resolve("second.so")))
            .limit("max_call_time: 60s")
            .token("probe_interval: 50ms")
            .token("probe_timeout: 60s")) { // A missing storage fails at once, without a timeout.
      Caller caller = two.start().onSocket();
      Eventually.holds("both tokens are in service", () -> two.metric("hmacd_token_healthy") == 2);
      String both = adopted(caller, "both", hsm, other);
      String used = adopted(caller, "used", hsm);
      String unused = adopted(caller, "unused", hsm);
      requireRight(caller, used, "used");
      try (MacLoad load = new MacLoad(caller, List.of(both), DEADLINE).start(CALLERS)) {
        load.awaitSuccess(200);
        storage.remove();
        long end = System.nanoTime() + Duration.ofSeconds(seconds).toNanos();
        Eventually.holds(
            "one token is out of service", () -> two.metric("hmacd_token_healthy") == 1);
        while (System.nanoTime() - end < 0) {
          requireRight(caller, both, "both");
          requireOut(() -> caller.generateMac(used, "message"));
          requireOut(() -> caller.generateMac(unused, "message"));
          LockSupport.parkNanos(Duration.ofMillis(5).toNanos());
        }
        long back = System.nanoTime();
        storage.restore();
        for (String key : List.of(unused, used)) {
          Eventually.holds("a key of the restored token is served", () -> answers(caller, key));
        }
        System.out.printf(
            "storage of one of two tokens away for %d s: its keys back after %d ms%n",
            seconds, Duration.ofNanos(System.nanoTime() - back).toMillis());
        Eventually.holds(
            "both tokens are in service", () -> two.metric("hmacd_token_healthy") == 2);
        requireRight(caller, used, "used");
        requireRight(caller, unused, "unused");
        load.awaitSuccess(200);
        assertThat(load.wrong()).isZero();
        assertThat(load.failures()).isEmpty();
      }
      assertThat(log.count("NOT_SERVING")).isZero();
    }
  }
}

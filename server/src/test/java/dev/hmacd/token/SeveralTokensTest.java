package dev.hmacd.token;

import static dev.hmacd.testing.Reasons.failsWith;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.protobuf.ByteString;
import dev.hmacd.testing.Caller;
import dev.hmacd.testing.Eventually;
import dev.hmacd.testing.FaultModule;
import dev.hmacd.testing.LoopbackDaemon;
import dev.hmacd.testing.MacLoad;
import dev.hmacd.testing.SettableClock;
import dev.hmacd.testing.SoftHsm;
import dev.hmacd.v1.AdoptKeyRequest;
import dev.hmacd.v1.CreateKeyRequest;
import dev.hmacd.v1.KeyMetadata;
import dev.hmacd.v1.KeySpec;
import dev.hmacd.v1.ScheduleKeyDeletionRequest;
import io.grpc.Status.Code;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.time.Duration;
import java.time.Instant;
import java.util.Arrays;
import java.util.List;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Load balancing and failover over two tokens of one daemon, each with its own fault module.
@Tag("slow")
final class SeveralTokensTest {
  private static final KeySpec SPEC = KeySpec.KEY_SPEC_HMAC_256;
  private static final int CALLERS = 6;
  private static final Duration DEADLINE = Duration.ofSeconds(30);

  private static final SoftHsm OTHER = SoftHsm.shared().another();

  private final SoftHsm one = SoftHsm.shared();
  private final SoftHsm other = OTHER;
  private final FaultModule first = FaultModule.inFrontOf(one);
  private final FaultModule second = FaultModule.inFrontOf(other);
  private final SettableClock clock = new SettableClock(Instant.now());
  private final LoopbackDaemon daemon =
      LoopbackDaemon.on(one)
          .allowingSocket()
          .clock(clock)
          .alsoOn(one, first.file())
          .alsoOn(other, second.file())
          .token("probe_interval: 50ms")
          // Longer than the scheduling delay of a thread on a busy machine, and time for a retry.
          .token("probe_timeout: 3s")
          .limit("max_call_time: 60s");
  private final Caller caller;

  SeveralTokensTest() {
    caller = daemon.start().onSocket();
    Eventually.holds("both tokens are in service", () -> daemon.metric("hmacd_token_healthy") == 2);
  }

  @AfterEach
  void close() {
    first.send("clear");
    second.send("clear");
    daemon.close();
  }

  private static byte[] secret(String label) {
    return Arrays.copyOf(label.getBytes(StandardCharsets.UTF_8), 32);
  }

  private static ByteString mac(byte[] key, String message) {
    try {
      var mac = Mac.getInstance("HmacSHA256");
      mac.init(new SecretKeySpec(key, "HmacSHA256"));
      return ByteString.copyFrom(mac.doFinal(message.getBytes(StandardCharsets.UTF_8)));
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException(e);
    }
  }

  /// Adopts a key that a key ceremony created on these tokens.
  private KeyMetadata adopted(String label, SoftHsm... tokens) {
    String id = SoftHsm.freshId();
    for (SoftHsm token : tokens) {
      token.importKey(label, id, secret(label));
    }
    return caller.adopt(label, SPEC);
  }

  private void requireRight(KeyMetadata key, String label) {
    assertThat(ByteString.copyFrom(caller.generateMac(key.getKeyId(), "message")))
        .isEqualTo(mac(secret(label), "message"));
  }

  private MacLoad load(String... labels) {
    List<String> keys =
        Arrays.stream(labels).map(label -> adopted(label, one, other).getKeyId()).toList();
    return new MacLoad(caller, keys, DEADLINE).start(CALLERS);
  }

  private static void awaitMacs(FaultModule module) {
    long before = module.count("C_Sign");
    Eventually.holds("the token computes MACs", () -> module.count("C_Sign") > before + 200);
  }

  /// Calls on the failed token fail over to the other token within their deadlines.
  @ParameterizedTest
  @ValueSource(
      strings = {
        "remove",
        "fail all all CKR_DEVICE_ERROR",
        "fail C_Sign all CKR_GENERAL_ERROR",
        "uninitialize",
        "fail C_SignInit all CKR_CRYPTOKI_NOT_INITIALIZED",
        "hang C_Sign all"
      })
  void noCallFailsIfATokenFailsUnderLoad(String fault) {
    try (MacLoad load = load(SoftHsm.freshLabel("a"), SoftHsm.freshLabel("b"))) {
      load.awaitSuccess(500);
      awaitMacs(first);
      awaitMacs(second);
      second.send(fault);
      // A token that is initialized again is back at once.
      if (!fault.equals("uninitialize")) {
        Eventually.holds(
            "one token is out of service", () -> daemon.metric("hmacd_token_healthy") == 1);
      }
      awaitMacs(first);
      second.send("clear");
      Eventually.holds(
          "both tokens are in service", () -> daemon.metric("hmacd_token_healthy") == 2);
      awaitMacs(second);
      load.awaitSuccess(500);
      assertThat(load.failures()).isEmpty();
      assertThat(load.wrong()).isZero();
      System.out.printf("%s: %d MACs right, none failed%n", fault, load.right());
    }
  }

  @Test
  void keysAreServedByTheirTokens() {
    String onFirst = SoftHsm.freshLabel("first");
    String onSecond = SoftHsm.freshLabel("second");
    String onBoth = SoftHsm.freshLabel("both");
    KeyMetadata ofFirst = adopted(onFirst, one);
    KeyMetadata ofSecond = adopted(onSecond, other);
    KeyMetadata ofBoth = adopted(onBoth, one, other);
    assertThat(ofFirst.getTokenObject().getTokenSerial()).isEqualTo(one.serial());
    assertThat(ofFirst.getTokenObject().getOtherTokenSerialsList()).isEmpty();
    assertThat(ofSecond.getTokenObject().getTokenSerial()).isEqualTo(other.serial());
    assertThat(caller.describe(ofBoth.getKeyId()).getTokenObject().getOtherTokenSerialsList())
        .containsExactly(other.serial());
    requireRight(ofFirst, onFirst);
    requireRight(ofSecond, onSecond);
    requireRight(ofBoth, onBoth);

    first.send("remove");
    Eventually.holds(
        "one token is out of service", () -> daemon.metric("hmacd_token_healthy") == 1);
    requireRight(ofSecond, onSecond);
    requireRight(ofBoth, onBoth);
    assertThatThrownBy(() -> caller.generateMac(ofFirst.getKeyId(), "message"))
        .satisfies(failsWith(Code.UNAVAILABLE, "TOKEN_UNAVAILABLE"));

    daemon.restart();
    Caller again = daemon.onSocket();
    assertThat(ByteString.copyFrom(again.generateMac(ofBoth.getKeyId(), "message")))
        .isEqualTo(mac(secret(onBoth), "message"));
    first.send("return");
    Eventually.holds("both tokens are in service", () -> daemon.metric("hmacd_token_healthy") == 2);
    assertThat(ByteString.copyFrom(again.generateMac(ofFirst.getKeyId(), "message")))
        .isEqualTo(mac(secret(onFirst), "message"));
  }

  /// The key is lost on the first token, which an idle daemon selects first.
  @Test
  void keyThatIsLostOnOneTokenIsServedByTheOther() {
    String label = SoftHsm.freshLabel("lost");
    KeyMetadata key = adopted(label, one, other);
    one.delete(label);
    first.send("invalidate objects");
    for (int i = 0; i < 10; i++) {
      requireRight(key, label);
    }
    assertThat(caller.describe(key.getKeyId()).getKeyState().name()).isEqualTo("KEY_STATE_ENABLED");
    second.send("remove");
    Eventually.holds(
        "one token is out of service", () -> daemon.metric("hmacd_token_healthy") == 1);
    assertThatThrownBy(() -> caller.generateMac(key.getKeyId(), "message"))
        .satisfies(failsWith(Code.UNAVAILABLE, "TOKEN_UNAVAILABLE"));
  }

  @Test
  void differentKeysOfTheSameNameAreNotAdopted() {
    String label = SoftHsm.freshLabel("different");
    String id = SoftHsm.freshId();
    one.importKey(label, id, secret(label));
    other.importKey(label, id, secret(label + "?"));
    requireRefused(label, Code.FAILED_PRECONDITION, "TOKEN_OBJECT_AMBIGUOUS");
    String ids = SoftHsm.freshLabel("ids");
    one.importKey(ids, SoftHsm.freshId(), secret(ids));
    other.importKey(ids, SoftHsm.freshId(), secret(ids));
    requireRefused(ids, Code.FAILED_PRECONDITION, "TOKEN_OBJECT_AMBIGUOUS");
    requireRefused(SoftHsm.freshLabel("nowhere"), Code.NOT_FOUND, "TOKEN_OBJECT_NOT_FOUND");
    requireRefused("hmacd/own/probe", Code.PERMISSION_DENIED, "TOKEN_OBJECT_RESERVED");
  }

  private void requireRefused(String label, Code code, String reason) {
    var request = AdoptKeyRequest.newBuilder().setObjectLabel(label).setKeySpec(SPEC).build();
    assertThatThrownBy(() -> caller.keys().adoptKey(request)).satisfies(failsWith(code, reason));
  }

  /// Otherwise a key could be adopted twice, under different rules.
  @Test
  void adoptedObjectIsRefusedOnEachToken() {
    String label = SoftHsm.freshLabel("once");
    KeyMetadata key = adopted(label, one, other);
    first.send("remove");
    Eventually.holds(
        "one token is out of service", () -> daemon.metric("hmacd_token_healthy") == 1);
    requireRefused(label, Code.ALREADY_EXISTS, "TOKEN_OBJECT_TAKEN");
    requireRight(key, label);
  }

  /// Each token is out of service during one of the two adoptions.
  @Test
  void objectIsNotAdoptedTwiceFromDifferentTokens() {
    String label = SoftHsm.freshLabel("twice");
    String id = SoftHsm.freshId();
    one.importKey(label, id, secret(label));
    other.importKey(label, id, secret(label));
    second.send("remove");
    Eventually.holds(
        "one token is out of service", () -> daemon.metric("hmacd_token_healthy") == 1);
    var _ = caller.adopt(label, SPEC);
    second.send("return");
    Eventually.holds("both tokens are in service", () -> daemon.metric("hmacd_token_healthy") == 2);
    first.send("remove");
    Eventually.holds(
        "one token is out of service", () -> daemon.metric("hmacd_token_healthy") == 1);
    requireRefused(label, Code.ALREADY_EXISTS, "TOKEN_OBJECT_TAKEN");
  }

  @Test
  void keyIsCreatedOnTheRequestedToken() {
    assertThat(made("").getTokenObject().getTokenSerial()).isEqualTo(one.serial());
    KeyMetadata key = made(other.serial());
    assertThat(key.getTokenObject().getTokenSerial()).isEqualTo(other.serial());
    assertThat(other.list()).contains(key.getTokenObject().getLabel());
    assertThat(one.list()).doesNotContain(key.getTokenObject().getLabel());
    assertThat(caller.generateMac(key.getKeyId(), "message")).hasSize(32);
    assertThatThrownBy(() -> made("none"))
        .satisfies(failsWith(Code.INVALID_ARGUMENT, "INVALID_FIELD", "field", "token_serial"));
    second.send("remove");
    Eventually.holds(
        "one token is out of service", () -> daemon.metric("hmacd_token_healthy") == 1);
    assertThatThrownBy(() -> made(other.serial()))
        .satisfies(failsWith(Code.UNAVAILABLE, "TOKEN_UNAVAILABLE"));
    assertThat(made("").getTokenObject().getTokenSerial()).isEqualTo(one.serial());
  }

  private KeyMetadata made(String serial) {
    var request = CreateKeyRequest.newBuilder().setKeySpec(SPEC);
    if (!serial.isEmpty()) {
      request.setTokenSerial(serial);
    }
    return caller.keys().createKey(request.build()).getKeyMetadata();
  }

  @Test
  void keyIsDestroyedOnAllTokens() {
    String label = SoftHsm.freshLabel("destroyed");
    KeyMetadata key = adopted(label, one, other);
    assertThat(one.list()).contains(label);
    assertThat(other.list()).contains(label);
    var _ =
        caller
            .keys()
            .scheduleKeyDeletion(
                ScheduleKeyDeletionRequest.newBuilder()
                    .setKeyId(key.getKeyId())
                    .setPendingWindowInDays(7)
                    .build());
    clock.advance(Duration.ofDays(8));
    Eventually.holds(
        "the key is destroyed on both tokens",
        () -> !one.list().contains(label) && !other.list().contains(label));
  }
}

package dev.hmacd.usecase;

import static dev.hmacd.testing.Reasons.failsWith;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.hmacd.testing.Caller;
import dev.hmacd.testing.Eventually;
import dev.hmacd.testing.KmsItem;
import dev.hmacd.testing.LoopbackDaemon;
import dev.hmacd.testing.SettableClock;
import dev.hmacd.testing.SoftHsm;
import dev.hmacd.token.FaultyToken;
import dev.hmacd.token.FaultyToken.Call;
import dev.hmacd.v1.CancelKeyDeletionRequest;
import dev.hmacd.v1.KeySpec;
import dev.hmacd.v1.KeyState;
import dev.hmacd.v1.ListAliasesRequest;
import dev.hmacd.v1.ListKeysRequest;
import dev.hmacd.v1.ScheduleKeyDeletionRequest;
import io.grpc.Status.Code;
import io.grpc.StatusRuntimeException;
import java.time.Duration;
import java.time.Instant;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/// A key is destroyed on the token exactly once, when its deletion is due.
@Tag("slow")
final class KeyDeletionTest {
  private static final Duration WINDOW = Duration.ofDays(7);

  private final SoftHsm hsm = SoftHsm.shared();
  private final FaultyToken token = new FaultyToken(hsm.token());
  private final SettableClock clock = new SettableClock(Instant.now());
  private final LoopbackDaemon daemon =
      LoopbackDaemon.on(hsm).allowingSocket().wrapping(_ -> token).clock(clock);
  private final String alias = "alias/doomed-" + UUID.randomUUID();

  @SuppressWarnings("NullAway.Init") // start() sets it.
  private Caller admin;

  @SuppressWarnings("NullAway.Init") // start() sets it.
  private String key;

  @BeforeEach
  void start() {
    admin = daemon.start().onSocket();
    key = admin.createKey(KeySpec.KEY_SPEC_HMAC_256);
    admin.createAlias(alias, key);
    assertThat(admin.generateMac(alias, "hello")).hasSize(32);
  }

  @AfterEach
  void stop() {
    daemon.close();
  }

  private void schedule() {
    var scheduled =
        admin
            .keys()
            .scheduleKeyDeletion(
                ScheduleKeyDeletionRequest.newBuilder()
                    .setKeyId(key)
                    .setPendingWindowInDays(7)
                    .build());
    assertThat(scheduled.getKeyMetadata().getDeletionTime().getSeconds())
        .isEqualTo(clock.instant().plus(WINDOW).getEpochSecond());
  }

  private boolean isOnToken() {
    return hsm.list().contains("hmacd/key/" + key + "/1");
  }

  private void awaitDeleted() {
    Eventually.holds("the object is destroyed", () -> !isOnToken());
    Eventually.holds(
        "the key is removed from the registry",
        () ->
            !admin.keys().listKeys(ListKeysRequest.getDefaultInstance()).toString().contains(key));
    assertThatThrownBy(() -> admin.describe(key))
        .satisfies(failsWith(Code.NOT_FOUND, "KEY_NOT_FOUND"));
  }

  @Test
  @KmsItem("DEL-3")
  void dueKeyIsDestroyedOnceWithItsAliases() {
    schedule();
    clock.advance(WINDOW);
    awaitDeleted();
    assertThatThrownBy(() -> admin.generateMac(alias, "hello"))
        .satisfies(failsWith(Code.NOT_FOUND, "KEY_NOT_FOUND"));
    assertThat(admin.keys().listAliases(ListAliasesRequest.getDefaultInstance()).getAliasesList())
        .isEmpty();
    // Lanes unload their copies. A later run destroys no key again.
    Eventually.holds("the lane has unloaded its copy", () -> token.count(Call.UNLOAD) > 0);
    clock.advance(Duration.ofDays(1));
    admin = daemon.restart().onSocket();
    String next = admin.createKey(KeySpec.KEY_SPEC_HMAC_256);
    assertThat(admin.generateMac(next, "hello")).hasSize(32);
    assertThat(token.count(Call.DESTROY)).isEqualTo(1);
  }

  /// An operator replaces the object of an adopted key, and deletes the adopted key.
  @Test
  void replacedObjectIsNotDestroyed() {
    String label = SoftHsm.freshLabel("ceremony");
    String id = SoftHsm.freshId();
    byte[] other = new byte[32];
    other[0] = 1;
    hsm.importKey(label, id, new byte[32]);
    key = admin.adopt(label, KeySpec.KEY_SPEC_HMAC_256).getKeyId();
    byte[] before = admin.generateMac(key, "hello");
    hsm.delete(label);
    hsm.importKey(label, id, other);
    schedule();
    clock.advance(WINDOW);
    var adopted = new AtomicReference<String>();
    Eventually.holds(
        "the object can be adopted again",
        () -> {
          try {
            adopted.set(admin.adopt(label, KeySpec.KEY_SPEC_HMAC_256).getKeyId());
            return true;
          } catch (StatusRuntimeException e) {
            return false;
          }
        });
    assertThat(admin.generateMac(adopted.get(), "hello")).hasSize(32).isNotEqualTo(before);
    assertThat(token.count(Call.DESTROY)).isZero();
  }

  @Test
  void deletionCanBeCancelledUntilTheLastSecond() {
    schedule();
    clock.advance(WINDOW.minusSeconds(1));
    // A start destroys due keys.
    admin = daemon.restart().onSocket();
    assertThat(admin.describe(key).getKeyState()).isEqualTo(KeyState.KEY_STATE_PENDING_DELETION);
    assertThat(isOnToken()).isTrue();
    var _ =
        admin.keys().cancelKeyDeletion(CancelKeyDeletionRequest.newBuilder().setKeyId(key).build());
    clock.advance(Duration.ofDays(400));
    admin = daemon.restart().onSocket();
    assertThat(admin.describe(key).getKeyState()).isEqualTo(KeyState.KEY_STATE_DISABLED);
    assertThat(isOnToken()).isTrue();
    assertThat(token.count(Call.DESTROY)).isZero();
  }

  @Test
  void failedDestructionIsRepeatedAtTheNextStart() {
    token.failing(Call.DESTROY, 2, FaultyToken.CKR_DEVICE_ERROR);
    schedule();
    clock.advance(WINDOW);
    Eventually.holds("the destruction has failed twice", () -> token.count(Call.DESTROY) >= 2);
    assertThat(isOnToken()).isTrue();
    assertThatThrownBy(() -> admin.describe(key))
        .satisfies(failsWith(Code.NOT_FOUND, "KEY_NOT_FOUND"));
    assertThatThrownBy(
            () ->
                admin
                    .keys()
                    .cancelKeyDeletion(CancelKeyDeletionRequest.newBuilder().setKeyId(key).build()))
        .satisfies(failsWith(Code.NOT_FOUND, "KEY_NOT_FOUND"));
    admin = daemon.restart().onSocket();
    awaitDeleted();
  }

  @Test
  void dueKeyWithoutAnObjectIsRemoved() {
    schedule();
    hsm.delete("hmacd/key/" + key + "/1");
    clock.advance(WINDOW);
    awaitDeleted();
  }
}

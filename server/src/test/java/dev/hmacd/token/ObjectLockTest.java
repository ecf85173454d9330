package dev.hmacd.token;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.hmacd.key.KeyObject;
import dev.hmacd.testing.Eventually;
import dev.hmacd.testing.FaultModule;
import dev.hmacd.testing.SoftHsm;
import dev.hmacd.token.ObjectLock.Hold;
import dev.hmacd.token.TokenException.Kind;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// Searches and changes of objects exclude each other, but a PKCS#11 call that never returns blocks
/// other lanes only until its lane is replaced.
final class ObjectLockTest {
  private static final Duration LONG = Duration.ofMinutes(1);

  /// Much longer than a call of SoftHSM2, and short enough for a test that waits for all of it.
  private static final Duration HANG = Duration.ofSeconds(1);

  @Test
  void searchesShareTheLockAndExcludeAGeneration() throws TokenException {
    var lock = new ObjectLock(LONG);
    Hold first = lock.forSearch();
    Hold second = lock.forSearch();
    first.close();
    assertThatThrownBy(lock::forGeneration)
        .isInstanceOfSatisfying(
            TokenException.class, e -> assertThat(e.kind()).isEqualTo(Kind.UNAVAILABLE));
    assertThat(lock.forCopy()).isEmpty();
    second.close();
    lock.forGeneration().close();
    assertThat(lock.forCopy()).isPresent();
  }

  @Test
  void generationExcludesACopyUntilItsEnd() throws TokenException {
    var lock = new ObjectLock(LONG);
    Hold generation = lock.forGeneration();
    assertThat(lock.forCopy()).isEmpty();
    generation.close();
    assertThat(lock.forCopy()).isPresent();
  }

  @Test
  void holdOfAHangingCallEnds() throws TokenException {
    var lock = new ObjectLock(Duration.ZERO);
    try (Hold _ = lock.forSearch();
        Hold _ = lock.forGeneration()) {
      assertThat(lock.forCopy()).isPresent();
    }
  }

  /// The call of a lane that never returns.
  enum HangingCall {
    C_FIND_OBJECTS("C_FindObjects") {
      @Override
      void make(TokenSession session) throws TokenException {
        var _ = session.find(new TokenSession.Query.ByLabel("any"));
      }
    },
    C_GENERATE_KEY("C_GenerateKey") {
      @Override
      void make(TokenSession session) throws TokenException {
        var _ = session.generate(freshKey(), 32);
      }
    };

    private final String function;

    HangingCall(String function) {
      this.function = function;
    }

    abstract void make(TokenSession session) throws TokenException;
  }

  private static KeyObject freshKey() {
    return new KeyObject(SoftHsm.freshLabel("lock"), SoftHsm.freshId());
  }

  private static long deadline() {
    return System.nanoTime() + Eventually.LIMIT.toNanos();
  }

  @ParameterizedTest
  @EnumSource
  void keyIsGeneratedAndDestroyedAfterAHangingLaneWasReplaced(HangingCall call)
      throws TokenException {
    SoftHsm hsm = SoftHsm.shared();
    FaultModule module = FaultModule.inFrontOf(hsm);
    Pkcs11Token token =
        Pkcs11Token.find(
            module.file(),
            new TokenSelector.ByLabel(hsm.label()),
            new PinFile(hsm.pinFile()),
            new Pkcs11Token.Use(true, false, KeyTypeSetting.AUTO, HANG));
    try (var lanes =
        new Lanes(
            token,
            new Lanes.Settings(1, 10, HANG, 4, Eventually.LIMIT),
            LaneObserver.NONE,
            FaultListener.NONE)) {
      lanes.open();
      lanes.start();
      module.send("hang " + call.function + " 1");
      CompletableFuture<Boolean> hanging =
          lanes.submit(
              session -> {
                call.make(session);
                return true;
              },
              false,
              deadline());
      Eventually.holds("the call hangs", () -> module.count("hanging") == 1);
      Eventually.holds("the lane is replaced", () -> lanes.hanging() >= 1);
      KeyObject key = freshKey();
      assertThat(lanes.submit(session -> session.generate(key, 32), false, deadline()))
          .succeedsWithin(Eventually.LIMIT);
      assertThat(lanes.submit(session -> session.destroy(key), true, deadline()))
          .succeedsWithin(Eventually.LIMIT)
          .isEqualTo(true);
      assertThat(hanging).isNotDone();
      module.send("release");
      assertThat(hanging).succeedsWithin(Eventually.LIMIT);
    }
  }
}

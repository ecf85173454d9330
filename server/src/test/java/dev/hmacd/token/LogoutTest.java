package dev.hmacd.token;

import static org.assertj.core.api.Assertions.assertThat;

import dev.hmacd.key.KeyObject;
import dev.hmacd.key.MacAlgorithm;
import dev.hmacd.testing.SoftHsm;
import dev.hmacd.token.TokenSession.Query;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import sun.security.pkcs11.wrapper.PKCS11;
import sun.security.pkcs11.wrapper.PKCS11Constants;

/// Logins and logouts hold for all sessions of a process: a logout in one session logs out all.
final class LogoutTest {
  private static final Duration LONG = Duration.ofSeconds(30);
  private static final int LANES = 4;
  private static final byte[] MESSAGE = {1, 2, 3};
  private static final SoftHsm HSM = SoftHsm.shared();

  private final AtomicInteger pinsRead = new AtomicInteger();

  private Pkcs11Token token(boolean sessionCopies) throws TokenException {
    PinFile file = new PinFile(HSM.pinFile());
    return Pkcs11Token.find(
        HSM.module(),
        new TokenSelector.ByLabel(SoftHsm.LABEL),
        () -> {
          pinsRead.incrementAndGet();
          return file.read();
        },
        new Pkcs11Token.Use(sessionCopies, false));
  }

  private static KeyObject makeKey(Token token) throws TokenException {
    KeyObject key =
        new KeyObject(SoftHsm.freshLabel("logout"), UUID.randomUUID().toString().replace("-", ""));
    try (TokenSession session = token.open()) {
      session.generate(key, 32);
    }
    return key;
  }

  /// Logs out, as another user of the module in this process could.
  private static void logout() throws Exception {
    PKCS11 module = PKCS11.getInstance(HSM.module().toString(), "C_GetFunctionList", null, false);
    for (long slot : module.C_GetSlotList(true)) {
      if (new String(module.C_GetTokenInfo(slot).label).strip().equals(SoftHsm.LABEL)) {
        long session = module.C_OpenSession(slot, PKCS11Constants.CKF_SERIAL_SESSION, null, null);
        module.C_Logout(session);
        module.C_CloseSession(session);
      }
    }
  }

  @ParameterizedTest(name = "session copies: {0}")
  @ValueSource(booleans = {true, false})
  void loggedOutLanesLogInOnceAndAnswer(boolean sessionCopies) throws Exception {
    Pkcs11Token token = token(sessionCopies);
    KeyObject key = makeKey(token);
    try (Lanes lanes = TestLanes.of(token, LANES, 100, LONG)) {
      lanes.open();
      lanes.start();
      onEveryLane(lanes, key);
      int before = pinsRead.get();
      logout();
      List<RecordedCompletion> outcomes = new ArrayList<>();
      IntStream.range(0, 50).forEach(_ -> outcomes.add(sign(lanes, key)));
      byte[] mac = outcomes.getFirst().mac();
      assertThat(outcomes).allSatisfy(outcome -> assertThat(outcome.mac()).isEqualTo(mac));
      assertThat(pinsRead.get() - before).isEqualTo(1);
    }
  }

  @Test
  void objectsHiddenByALogoutAreNotMissing() throws Exception {
    Pkcs11Token token = token(true);
    KeyObject key = makeKey(token);
    try (Lanes lanes = TestLanes.of(token, 1, 100, LONG)) {
      lanes.open();
      lanes.start();
      onEveryLane(lanes, key);
      logout();
      long deadline = System.nanoTime() + LONG.toNanos();
      assertThat(lanes.submit(session -> session.find(new Query.ByBoth(key)), true, deadline))
          .succeedsWithin(LONG)
          .satisfies(found -> assertThat(found).hasSize(1));
    }
  }

  private static RecordedCompletion sign(Lanes lanes, KeyObject key) {
    RecordedCompletion outcome = new RecordedCompletion();
    long deadline = System.nanoTime() + LONG.toNanos();
    lanes.sign(new SignRequest(key, null, MacAlgorithm.HMAC_SHA_256, MESSAGE, deadline), outcome);
    return outcome;
  }

  /// Runs the key's first use on each lane. A barrier gives each lane exactly one use.
  private static void onEveryLane(Lanes lanes, KeyObject key) {
    CyclicBarrier all = new CyclicBarrier(lanes.size());
    List<CompletableFuture<Boolean>> works =
        IntStream.range(0, lanes.size())
            .mapToObj(
                _ ->
                    lanes.submit(
                        session -> {
                          long handle = session.load(key);
                          session.sign(handle, MacAlgorithm.HMAC_SHA_256, MESSAGE);
                          try {
                            all.await(LONG.toSeconds(), TimeUnit.SECONDS);
                          } catch (Exception e) {
                            throw new IllegalStateException(e);
                          }
                          return true;
                        },
                        false,
                        System.nanoTime() + LONG.toNanos()))
            .toList();
    works.forEach(work -> assertThat(work).succeedsWithin(LONG).isEqualTo(true));
    // MACs over the queue load the key's handle in the lanes.
    IntStream.range(0, 20).mapToObj(_ -> sign(lanes, key)).forEach(RecordedCompletion::mac);
  }
}

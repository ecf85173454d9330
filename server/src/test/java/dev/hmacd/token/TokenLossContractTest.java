package dev.hmacd.token;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.hmacd.key.KeyObject;
import dev.hmacd.key.MacAlgorithm;
import dev.hmacd.token.TokenException.Fault;
import dev.hmacd.token.TokenException.Kind;
import dev.hmacd.token.TokenSession.Query;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.MethodSource;

/// Loss of keys, handles, sessions and logins, which each token reports with its own codes.
@ParameterizedClass
@MethodSource(TokenContract.VARIANTS)
final class TokenLossContractTest extends TokenContract {
  TokenLossContractTest(Variant variant) {
    super(variant);
  }

  private byte[] sign(long handle) throws TokenException {
    return session.sign(handle, MacAlgorithm.HMAC_SHA_256, bytes(64));
  }

  private KeyObject made() throws TokenException {
    KeyObject name = fresh();
    session.generate(name, 32);
    return name;
  }

  @Test
  void destroyedKeyIsMissingAndOthersStay() throws TokenException {
    KeyObject name = made();
    KeyObject other = made();
    assertThat(session.destroy(name)).isTrue();
    assertThat(session.find(new Query.ByBoth(name))).isEmpty();
    assertThatThrownBy(() -> session.load(name)).satisfies(failsWith(Kind.KEY_MISSING));
    assertThat(session.destroy(name)).isFalse();
    assertThat(session.load(other)).isPositive();
  }

  @Test
  void keyDestroyedByAnotherProcessIsMissing() throws TokenException {
    KeyObject name = made();
    CHOSEN.delete(name.label());
    assertThatThrownBy(() -> session.load(name)).satisfies(failsWith(Kind.KEY_MISSING));
  }

  /// A session copy stays usable after its key is destroyed, so lanes unload it.
  @Test
  void handleOfADestroyedTokenObjectIsAFaultOfTheObject() throws Exception {
    KeyObject name = made();
    long handle = session.load(name);
    assertThat(sign(handle)).hasSize(32);
    try (TokenSession other = token.open()) {
      assertThat(other.destroy(name)).isTrue();
    }
    if (sessionCopies) {
      assertThat(sign(handle)).hasSize(32);
      note(Behaviour.DESTROYED_COPY, "works");
      session.unload(handle);
    }
    String code = new RawModule(CHOSEN).use(handle);
    assertThatThrownBy(() -> sign(handle)).satisfies(failsWith(Fault.OBJECT));
    if (!sessionCopies) {
      note(Behaviour.DESTROYED, code);
    }
  }

  /// The token may have reused the invalid handle, and all other handles, for other keys.
  @Test
  void invalidHandleIsAFaultOfTheObjectAndMakesAllSessionsStale() throws Exception {
    KeyObject name = made();
    long handle = session.load(name);
    note(Behaviour.DEAD_HANDLE, new RawModule(CHOSEN).use(0x7fffffffL));
    try (TokenSession other = token.open()) {
      long others = other.load(name);
      assertThatThrownBy(() -> sign(0x7fffffffL)).satisfies(failsWith(Fault.OBJECT));
      assertThatThrownBy(() -> sign(handle)).satisfies(failsWith(Fault.STALE));
      assertThatThrownBy(() -> other.sign(others, MacAlgorithm.HMAC_SHA_256, bytes(64)))
          .satisfies(failsWith(Fault.STALE));
    }
    try (TokenSession next = token.open()) {
      assertThat(next.sign(next.load(name), MacAlgorithm.HMAC_SHA_256, bytes(64))).hasSize(32);
    }
  }

  @Test
  void closedSessionIsAFaultOfTheSessionAndOthersWork() throws TokenException {
    KeyObject name = fresh();
    TokenSession other = token.open();
    other.generate(name, 32);
    long handle = other.load(name);
    other.close();
    other.close();
    TokenException failure =
        catchThrowableOfType(
            TokenException.class, () -> other.sign(handle, MacAlgorithm.HMAC_SHA_256, bytes(1)));
    assertThat(failure).satisfies(failsWith(Kind.UNAVAILABLE)).satisfies(failsWith(Fault.SESSION));
    note(Behaviour.CLOSED_SESSION, code(failure));
    assertThat(session.load(name)).isPositive();
  }

  @Test
  void keysAreHiddenAfterALogoutAndFoundAfterALogin() throws Exception {
    KeyObject name = made();
    long handle = session.load(name);
    byte[] mac = sign(handle);
    RawModule module = new RawModule(CHOSEN);
    boolean tried = sessionCopies || CHOSEN.survivesUseWhenLoggedOut();
    try (TokenSession witness = CHOSEN.find(sessionCopies).open()) {
      module.logout();
      note(
          sessionCopies ? Behaviour.LOGGED_OUT_COPY : Behaviour.LOGGED_OUT,
          tried ? module.use(handle) : "**can crash**; not tried");
      // A hidden key is not reported as missing.
      assertThatThrownBy(() -> witness.find(new Query.ByBoth(name)))
          .satisfies(failsWith(Fault.LOGIN));
    }
    if (tried) {
      TokenException failure = catchThrowableOfType(TokenException.class, () -> sign(handle));
      if (failure == null) {
        // NSS still uses keys in its memory.
        assertThat(sessionCopies).isTrue();
        assertThat(sign(handle)).isEqualTo(mac);
      } else {
        assertThat(failure).satisfies(failsWith(Kind.UNAVAILABLE));
        assertThat(failure.fault()).isIn(Fault.SESSION, Fault.LOGIN, Fault.OBJECT, Fault.DEVICE);
      }
    }
    try (TokenSession next = token.open()) {
      assertThat(next.sign(next.load(name), MacAlgorithm.HMAC_SHA_256, bytes(64))).isEqualTo(mac);
    }
  }
}

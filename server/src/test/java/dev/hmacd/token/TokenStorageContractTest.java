package dev.hmacd.token;

import static org.assertj.core.api.Assertions.assertThat;

import dev.hmacd.key.KeyObject;
import dev.hmacd.key.MacAlgorithm;
import dev.hmacd.testing.ContractToken;
import dev.hmacd.testing.Storage;
import dev.hmacd.token.TokenException.Kind;
import dev.hmacd.token.TokenSession.Query;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/// A token's storage is away, comes back, or an older copy is in its place. Tokens differ in their
/// behaviour then. Once the storage is back, a token has its keys after its module was finalized
/// and initialised.
///
/// Runs by `scripts/tokens` alone, in a JVM of its own: no other test can use the token meanwhile.
/// Surefire's configuration leaves this class out.
final class TokenStorageContractTest {
  private static final ContractToken CHOSEN = ContractToken.ofThisJvm();

  /// One for all tests: each finalizes the module, in a spelling of its path that none had before.
  @SuppressWarnings("NullAway.Init") // By find().
  private static Pkcs11Token token;

  private final Storage storage = CHOSEN.storage();
  private TokenSession session;

  @SuppressWarnings("NullAway.Init") // By open().
  TokenStorageContractTest() {}

  /// What is done with a session.
  private interface Use {
    String of(TokenSession session) throws TokenException;
  }

  @BeforeAll
  static void find() throws TokenException {
    token = CHOSEN.find(true);
  }

  @BeforeEach
  void open() throws TokenException {
    session = token.open(); // It keeps the process logged in.
  }

  @AfterEach
  void close() throws TokenException {
    storage.restore();
    session.close();
    token.circuit().set(CircuitBreaker.State.OUT);
    assertThat(token.reinitialize(() -> true)).isTrue();
  }

  private KeyObject made() throws TokenException {
    KeyObject name = TokenContract.fresh();
    session.generate(name, 32);
    return name;
  }

  private static byte[] sign(TokenSession in, long handle) throws TokenException {
    return in.sign(handle, MacAlgorithm.HMAC_SHA_256, TokenContract.bytes(64));
  }

  /// What comes of a use of a session: what it gives, or the code that the token answers.
  private static String outcome(Use use) {
    try (TokenSession own = token.open()) {
      return use.of(own);
    } catch (TokenException e) {
      return e.kind() == Kind.KEY_MISSING ? "not found" : TokenContract.code(e);
    }
  }

  private static String search(KeyObject name) {
    return outcome(own -> own.find(new Query.ByBoth(name)).isEmpty() ? "not found" : "found");
  }

  private static String used(TokenSession in, long handle, byte[] mac) {
    try {
      assertThat(sign(in, handle)).isEqualTo(mac);
      return "works";
    } catch (TokenException e) {
      return TokenContract.code(e);
    }
  }

  /// Finds the key as after a start, and checks its MAC.
  private static String initialised(KeyObject name, byte[] mac) throws TokenException {
    token.circuit().set(CircuitBreaker.State.OUT);
    assertThat(token.reinitialize(() -> true)).isTrue();
    return outcome(own -> used(own, own.loadTokenObject(name), mac));
  }

  @Test
  void keyIsBackWithTheStorage() throws TokenException {
    KeyObject name = made();
    // Each its session: a handle that is found to be dead ends those of its session.
    try (TokenSession objects = token.open();
        TokenSession copies = token.open()) {
      long object = objects.loadTokenObject(name);
      long copy = copies.load(name);
      byte[] mac = sign(objects, object);
      KeyObject during = TokenContract.fresh();
      storage.takeAway();
      TokenContract.note(Behaviour.AWAY_COPY, used(copies, copy, mac));
      TokenContract.note(Behaviour.AWAY_OBJECT, used(objects, object, mac));
      TokenContract.note(Behaviour.AWAY_SEARCH, search(name));
      TokenContract.note(
          Behaviour.AWAY_NEW,
          outcome(
              own -> {
                own.generate(during, 32);
                return "is made";
              }));
      storage.restore();
      TokenContract.note(Behaviour.BACK_SEARCH, search(name));
      String initialised = initialised(name, mac);
      TokenContract.note(Behaviour.BACK_INITIALISED, initialised);
      assertThat(initialised).isEqualTo("works");
      TokenContract.note(Behaviour.AWAY_NEW_INITIALISED, search(during));
    }
  }

  @Test
  void olderCopyLacksTheKeysThatWereMadeSince() throws TokenException {
    KeyObject older = made();
    byte[] mac = sign(session, session.load(older));
    Path copy = storage.copy();
    KeyObject newer = made();
    storage.takeAway();
    storage.replaceBy(copy);
    TokenContract.note(Behaviour.OLDER_SEARCH, search(newer));
    assertThat(initialised(older, mac)).isEqualTo("works");
    String searched = search(newer);
    TokenContract.note(Behaviour.OLDER_INITIALISED, searched);
    assertThat(searched).isEqualTo("not found");
  }
}

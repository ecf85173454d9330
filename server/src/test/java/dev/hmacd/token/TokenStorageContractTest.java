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

/// A token's storage is removed, restored, or replaced by an older copy. The behaviour of tokens
/// differs meanwhile. After the restore, a token has its keys once its module is finalized and
/// initialized.
///
/// Only `scripts/tokens` runs this class, in a separate JVM: no other test can use the token
/// meanwhile. Surefire's configuration excludes this class.
final class TokenStorageContractTest {
  private static final ContractToken CHOSEN = ContractToken.ofThisJvm();

  /// One token for all tests: each reinitialization needs an unused spelling of the module's path.
  @SuppressWarnings("NullAway.Init") // find() sets it.
  private static Pkcs11Token token;

  private final Storage storage = CHOSEN.storage();
  private TokenSession session;

  @SuppressWarnings("NullAway.Init") // open() sets the session.
  TokenStorageContractTest() {}

  /// A use of a session.
  private interface Use {
    String of(TokenSession session) throws TokenException;
  }

  @BeforeAll
  static void find() throws TokenException {
    token = CHOSEN.find(true);
  }

  @BeforeEach
  void open() throws TokenException {
    session = token.open(); // An open session keeps the process logged in.
  }

  @AfterEach
  void close() throws TokenException {
    storage.restoreIfRemoved();
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

  /// The result of a use of a session, or the return code of the token.
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

  /// Initializes the module again, finds the key and checks its MAC.
  private static String initialised(KeyObject name, byte[] mac) throws TokenException {
    token.circuit().set(CircuitBreaker.State.OUT);
    assertThat(token.reinitialize(() -> true)).isTrue();
    return outcome(own -> used(own, own.loadTokenObject(name), mac));
  }

  @Test
  void keyIsUsableAfterTheStorageIsRestored() throws TokenException {
    KeyObject name = made();
    // Separate sessions: an invalid handle invalidates all handles of its session.
    try (TokenSession objects = token.open();
        TokenSession copies = token.open()) {
      long object = objects.loadTokenObject(name);
      long copy = copies.load(name);
      byte[] mac = sign(objects, object);
      KeyObject during = TokenContract.fresh();
      storage.remove();
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
      storage.restoreIfRemoved();
      TokenContract.note(Behaviour.BACK_SEARCH, search(name));
      String initialised = initialised(name, mac);
      TokenContract.note(Behaviour.BACK_INITIALISED, initialised);
      assertThat(initialised).isEqualTo("works");
      TokenContract.note(Behaviour.AWAY_NEW_INITIALISED, search(during));
    }
  }

  @Test
  void olderCopyLacksNewerKeys() throws TokenException {
    KeyObject older = made();
    byte[] mac = sign(session, session.load(older));
    Path copy = storage.copy();
    KeyObject newer = made();
    storage.remove();
    storage.replaceBy(copy);
    TokenContract.note(Behaviour.OLDER_SEARCH, search(newer));
    assertThat(initialised(older, mac)).isEqualTo("works");
    String searched = search(newer);
    TokenContract.note(Behaviour.OLDER_INITIALISED, searched);
    assertThat(searched).isEqualTo("not found");
  }
}

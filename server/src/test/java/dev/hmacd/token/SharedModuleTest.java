package dev.hmacd.token;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.hmacd.key.KeyObject;
import dev.hmacd.key.MacAlgorithm;
import dev.hmacd.testing.FaultModule;
import dev.hmacd.testing.SoftHsm;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/// Two tokens of one module: `C_Finalize` affects both, so both must be out of service.
final class SharedModuleTest {
  private static final SoftHsm OTHER = SoftHsm.shared().another();
  private static final byte[] MESSAGE = "message".getBytes(StandardCharsets.UTF_8);

  private final FaultModule module = FaultModule.inFrontOf(SoftHsm.shared());
  private final Pkcs11Modules modules = new Pkcs11Modules();
  private final Pkcs11Token one = find(SoftHsm.shared());
  private final Pkcs11Token other = find(OTHER);

  private Pkcs11Token find(SoftHsm token) {
    return find(module.file(), token);
  }

  private Pkcs11Token find(Path file, SoftHsm token) {
    try {
      return modules.expect(
          file,
          Optional.empty(),
          new TokenSelector.BySerial(token.serial()),
          new PinFile(token.pinFile()),
          new Pkcs11Token.Use(true, false));
    } catch (TokenException e) {
      throw new IllegalStateException(e);
    }
  }

  @Test
  void moduleIsInitializedOnceForBothTokens() {
    assertThat(module.count("C_Initialize")).isEqualTo(1);
    assertThat(one.info().serial()).isNotEqualTo(other.info().serial());
  }

  @Test
  void moduleIsNotFinalizedWhileAnotherTokenIsInService() throws TokenException {
    one.circuit().set(CircuitBreaker.State.OUT);
    assertThat(one.reinitialize(() -> true)).isTrue();
    assertThat(module.count("C_Finalize")).isZero();
    other.circuit().set(CircuitBreaker.State.OUT);
    assertThat(one.reinitialize(() -> false)).isTrue();
    assertThat(module.count("C_Finalize")).isZero();
    assertThat(one.reinitialize(() -> true)).isTrue();
    assertThat(module.count("C_Finalize")).isEqualTo(1);
    assertThat(module.count("violations")).isZero();
  }

  /// The dynamic linker identifies files by device and inode.
  @Test
  void moduleUnderAnotherNameIsTheSameModule() throws IOException, TokenException {
    Path folder = Files.createTempDirectory("hmacd-module");
    var _ = find(Files.createLink(folder.resolve("hard-link.so"), module.file()), OTHER);
    var _ = find(Files.createSymbolicLink(folder.resolve("link.so"), module.file()), OTHER);
    assertThat(module.count("C_Initialize")).isEqualTo(1);
    one.circuit().set(CircuitBreaker.State.OUT);
    other.circuit().set(CircuitBreaker.State.OUT);
    assertThat(one.reinitialize(() -> true)).isTrue();
    assertThat(module.count("C_Finalize")).isZero();
  }

  /// The module reuses handles of deleted objects across tokens.
  @Test
  void invalidHandleThatIsReusedForAnotherTokensKeyGivesNoMac() throws TokenException {
    var dead = new KeyObject(SoftHsm.freshLabel("dead"), SoftHsm.freshId());
    SoftHsm.shared().importKey(dead.label(), dead.idHex(), new byte[32]);
    byte[] secret = new byte[32];
    secret[0] = 1;
    List<TokenSession> sessions = new ArrayList<>();
    module.send("reuse on");
    TokenSession session = one.open();
    long handle = session.load(dead);
    byte[] right = session.sign(handle, MacAlgorithm.HMAC_SHA_256, MESSAGE);
    module.send("invalidate objects");
    for (int i = 0; i < 8; i++) {
      var name = new KeyObject(SoftHsm.freshLabel("next"), SoftHsm.freshId());
      OTHER.importKey(name.label(), name.idHex(), secret);
      TokenSession beside = other.open();
      sessions.add(beside);
      long given = beside.load(name);
      try {
        assertThat(session.sign(handle, MacAlgorithm.HMAC_SHA_256, MESSAGE))
            .as("handle %d, new handle %d", handle, given)
            .isEqualTo(right);
      } catch (TokenException e) {
        assertThat(e.kind()).isEqualTo(TokenException.Kind.UNAVAILABLE);
      }
    }
    sessions.forEach(TokenSession::close);
    session.close();
  }

  /// The module may reuse their handles afterwards.
  @Test
  void sessionsOfAllTokensAreStaleAfterFinalize() throws TokenException {
    var name = new KeyObject(SoftHsm.freshLabel("shared"), SoftHsm.freshId());
    OTHER.importKey(name.label(), name.idHex(), new byte[32]);
    TokenSession before = other.open();
    long handle = before.load(name);
    one.circuit().set(CircuitBreaker.State.OUT);
    other.circuit().set(CircuitBreaker.State.OUT);
    module.send("uninitialize");
    assertThat(one.reinitialize(() -> true)).isTrue();
    assertThat(
            catchThrowableOfType(
                    TokenException.class,
                    () -> before.sign(handle, MacAlgorithm.HMAC_SHA_256, MESSAGE))
                .fault())
        .isEqualTo(TokenException.Fault.STALE);
    before.close();
    try (TokenSession after = other.open()) {
      assertThat(after.sign(after.load(name), MacAlgorithm.HMAC_SHA_256, MESSAGE)).hasSize(32);
    }
    try (TokenSession after = one.open()) {
      assertThat(after.random(8)).hasSize(8);
    }
    assertThat(module.count("violations")).isZero();
  }
}

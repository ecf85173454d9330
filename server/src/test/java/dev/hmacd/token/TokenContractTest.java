package dev.hmacd.token;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.hmacd.key.KeyAttributes;
import dev.hmacd.key.KeyObject;
import dev.hmacd.key.MacAlgorithm;
import dev.hmacd.testing.SoftHsm;
import dev.hmacd.token.TokenException.Kind;
import dev.hmacd.token.TokenSession.Query;
import java.util.Collections;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.Consumer;
import java.util.stream.IntStream;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Named;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/// What every [Token] does, each way in which the daemon uses one.
@ParameterizedClass
@MethodSource("tokens")
final class TokenContractTest {
  private static final SoftHsm HSM = SoftHsm.shared();

  static List<Named<Token>> tokens() throws TokenException {
    return List.of(
        Named.of("SoftHSM2, session-object copies", HSM.token()),
        Named.of(
            "SoftHSM2, token objects",
            Pkcs11Token.find(
                HSM.module(),
                new TokenSelector.ByLabel(SoftHsm.LABEL),
                new PinFile(HSM.pinFile()),
                false)),
        Named.of("between daemon and faults", new FaultyToken(HSM.token())));
  }

  private final Token token;
  private TokenSession session;

  @SuppressWarnings("NullAway.Init") // The session is there from open() on.
  TokenContractTest(Token token) {
    this.token = token;
  }

  @BeforeEach
  void open() throws TokenException {
    session = token.open();
  }

  @AfterEach
  void close() {
    session.close();
  }

  @ParameterizedTest
  @EnumSource(MacAlgorithm.class)
  void importedKeyGivesTheMacThatTheJdkGives(MacAlgorithm algorithm) throws Exception {
    byte[] key = bytes(algorithm.macBytes());
    KeyObject object = imported(key);
    long handle = session.load(object);
    String jdkName = "HmacSHA" + algorithm.name().substring("HMAC_SHA_".length());
    for (int length : new int[] {1, 63, 64, 65, 127, 128, 129, 4096}) {
      Mac jdk = Mac.getInstance(jdkName, "SunJCE");
      jdk.init(new SecretKeySpec(key, jdkName));
      byte[] message = bytes(length);
      assertThat(session.sign(handle, algorithm, message)).isEqualTo(jdk.doFinal(message));
    }
    session.unload(handle);
  }

  @ParameterizedTest
  @EnumSource(MacAlgorithm.class)
  void generatedKeyIsKeptAsItMustBeAndWorks(MacAlgorithm algorithm) throws TokenException {
    KeyObject name = fresh();
    KeyAttributes made = session.generate(name, algorithm.macBytes());
    assertThat(made)
        .isEqualTo(new KeyAttributes(true, false, true, true, true, true, algorithm.macBytes()));
    assertThat(session.find(new Query.ByBoth(name)))
        .containsExactly(new TokenSession.Found(name, made));
    long handle = session.load(name);
    byte[] mac = session.sign(handle, algorithm, bytes(64));
    assertThat(mac).hasSize(algorithm.macBytes());
    assertThat(session.sign(handle, algorithm, bytes(64))).isEqualTo(mac);
    assertThat(session.sign(handle, algorithm, bytes(65))).isNotEqualTo(mac);
  }

  @Test
  void keyIsFoundByLabelByIdAndByBoth() throws TokenException {
    KeyObject name = fresh();
    session.generate(name, 32);
    for (Query query :
        List.of(
            new Query.ByLabel(name.label()),
            new Query.ById(name.idHex()),
            new Query.ByBoth(name))) {
      assertThat(session.find(query)).extracting(TokenSession.Found::object).containsExactly(name);
    }
    assertThat(session.find(new Query.ByLabel(fresh().label()))).isEmpty();
    assertThat(session.find(new Query.ByBoth(new KeyObject(name.label(), fresh().idHex()))))
        .isEmpty();
  }

  @Test
  void keyWithoutIdIsFoundAndLoaded() throws TokenException {
    KeyObject object = new KeyObject(SoftHsm.freshLabel("no-id"), "");
    HSM.importKey(object.label(), "", bytes(32));
    assertThat(session.find(new Query.ByLabel(object.label())))
        .extracting(TokenSession.Found::object)
        .containsExactly(object);
    assertThat(session.sign(session.load(object), MacAlgorithm.HMAC_SHA_256, bytes(8))).hasSize(32);
  }

  @Test
  void labelThatIsNotAsciiIsFoundAndReadBack() throws TokenException {
    KeyObject name = new KeyObject(SoftHsm.freshLabel("schlüssel-鍵"), fresh().idHex());
    session.generate(name, 32);
    assertThat(session.find(new Query.ByLabel(name.label())))
        .extracting(TokenSession.Found::object)
        .containsExactly(name);
    assertThat(session.load(name)).isPositive();
  }

  @Test
  void keyIsSeenInSessionsThatWereOpenBefore() throws TokenException {
    try (TokenSession other = token.open()) {
      KeyObject name = fresh();
      other.generate(name, 32);
      assertThat(session.load(name)).isPositive();
    }
  }

  @Test
  void keysOfTwoSessionsDoNotDisturbEachOther() throws TokenException {
    KeyObject name = fresh();
    session.generate(name, 32);
    byte[] message = bytes(64);
    long handle = session.load(name);
    byte[] mac = session.sign(handle, MacAlgorithm.HMAC_SHA_256, message);
    try (TokenSession other = token.open()) {
      long same = other.load(name);
      assertThat(other.sign(same, MacAlgorithm.HMAC_SHA_256, message)).isEqualTo(mac);
      other.unload(same);
    }
    assertThat(session.sign(handle, MacAlgorithm.HMAC_SHA_256, message)).isEqualTo(mac);
  }

  @Test
  void keyThatOtherSessionsLoadAtTheSameTimeIsOneKey() throws Exception {
    KeyObject name = fresh();
    session.generate(name, 32);
    Callable<Integer> loader =
        () -> {
          int loaded = 0;
          try (TokenSession mine = token.open()) {
            for (int i = 0; i < 200; i++) {
              mine.unload(mine.load(name));
              loaded += mine.find(new Query.ByBoth(name)).size();
            }
          }
          return loaded;
        };
    try (ExecutorService four = Executors.newFixedThreadPool(4)) {
      for (Future<Integer> each : four.invokeAll(Collections.nCopies(4, loader))) {
        assertThat(each.get()).isEqualTo(200);
      }
    }
  }

  @Test
  void unloadedKeyCanBeLoadedAgainAndStaysOnTheToken() throws TokenException {
    KeyObject name = fresh();
    session.generate(name, 32);
    session.unload(session.load(name));
    assertThat(session.find(new Query.ByBoth(name))).hasSize(1);
    assertThat(session.sign(session.load(name), MacAlgorithm.HMAC_SHA_256, bytes(1))).hasSize(32);
  }

  @Test
  void missingKeyIsNotLoaded() {
    assertThatThrownBy(() -> session.load(fresh())).satisfies(failsWith(Kind.KEY_MISSING));
  }

  @Test
  void keyWithTheLabelOfOneAndTheIdOfAnotherIsMissing() throws TokenException {
    KeyObject one = fresh();
    KeyObject other = fresh();
    session.generate(one, 32);
    session.generate(other, 32);
    assertThatThrownBy(() -> session.load(new KeyObject(one.label(), other.idHex())))
        .satisfies(failsWith(Kind.KEY_MISSING));
  }

  @Test
  void keyThatIsThereTwiceIsNotLoaded() throws TokenException {
    KeyObject name = fresh();
    session.generate(name, 32);
    session.generate(name, 32);
    assertThatThrownBy(() -> session.load(name)).satisfies(failsWith(Kind.KEY_AMBIGUOUS));
    assertThat(session.find(new Query.ByBoth(name))).hasSize(2);
  }

  @Test
  void extractableKeyIsNotLoadedAndItsAttributesAreTold() throws TokenException {
    KeyObject object = fresh();
    HSM.importKey(object.label(), object.idHex(), bytes(32), "--extractable", "--private");
    assertThatThrownBy(() -> session.load(object)).satisfies(failsWith(Kind.KEY_UNFIT));
    KeyAttributes told = session.find(new Query.ByBoth(object)).getFirst().attributes();
    assertThat(told.extractable()).isTrue();
    assertThat(told.alwaysSensitive()).isFalse();
    assertThat(told.neverExtractable()).isFalse();
    assertThat(told.local()).isFalse();
  }

  @Test
  void destroyedKeyIsMissing() throws TokenException {
    KeyObject name = fresh();
    session.generate(name, 32);
    HSM.delete(name.label());
    assertThatThrownBy(() -> session.load(name)).satisfies(failsWith(Kind.KEY_MISSING));
  }

  @Test
  void closedSessionSaysSoAndLeavesOthersAlone() throws TokenException {
    KeyObject name = fresh();
    TokenSession other = token.open();
    other.generate(name, 32);
    long handle = other.load(name);
    other.close();
    other.close();
    assertThatThrownBy(() -> other.sign(handle, MacAlgorithm.HMAC_SHA_256, bytes(1)))
        .satisfies(failsWith(Kind.UNAVAILABLE))
        .satisfies(
            thrown ->
                assertThat(((TokenException) thrown).fault())
                    .isEqualTo(TokenException.Fault.SESSION));
    assertThat(session.load(name)).isPositive();
  }

  @Test
  void deadHandleIsAFaultOfTheObject() {
    assertThatThrownBy(() -> session.sign(0x7fffffffL, MacAlgorithm.HMAC_SHA_256, bytes(1)))
        .satisfies(
            thrown ->
                assertThat(((TokenException) thrown).fault())
                    .isEqualTo(TokenException.Fault.OBJECT));
  }

  @Test
  void sessionWorksOnAfterAFailedCall() throws TokenException {
    KeyObject name = fresh();
    session.generate(name, 32);
    long handle = session.load(name);
    for (int i = 0; i < 3; i++) {
      assertThatThrownBy(() -> session.sign(0x7fffffffL, MacAlgorithm.HMAC_SHA_256, bytes(1)))
          .isInstanceOf(TokenException.class);
      assertThat(session.sign(handle, MacAlgorithm.HMAC_SHA_256, bytes(1))).hasSize(32);
    }
  }

  private static Consumer<Throwable> failsWith(Kind kind) {
    return thrown ->
        assertThat(thrown)
            .isInstanceOfSatisfying(
                TokenException.class, failure -> assertThat(failure.kind()).isEqualTo(kind));
  }

  private static KeyObject fresh() {
    return new KeyObject(
        SoftHsm.freshLabel("contract"), UUID.randomUUID().toString().replace("-", ""));
  }

  private static KeyObject imported(byte[] key) {
    KeyObject object = fresh();
    HSM.importKey(object.label(), object.idHex(), key);
    return object;
  }

  private static byte[] bytes(int length) {
    byte[] bytes = new byte[length];
    IntStream.range(0, length).forEach(i -> bytes[i] = (byte) (i * 7 + length));
    return bytes;
  }
}

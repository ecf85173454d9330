package dev.hmacd.token;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.hmacd.key.KeyAttributes;
import dev.hmacd.key.KeyObject;
import dev.hmacd.key.MacAlgorithm;
import dev.hmacd.testing.SoftHsm;
import dev.hmacd.token.TokenException.Kind;
import dev.hmacd.token.TokenSession.Query;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/// Keys are generated, found, loaded and used.
@ParameterizedClass
@MethodSource(TokenContract.VARIANTS)
final class TokenContractTest extends TokenContract {
  private static final KeyObject ABSENT = fresh();

  /// Number of keys that are generated during searches.
  private static final int GENERATED = Integer.getInteger("hmacd.test.generated", 50);

  TokenContractTest(Variant variant) {
    super(variant);
  }

  @ParameterizedTest
  @EnumSource(MacAlgorithm.class)
  void macOfAnImportedKeyEqualsTheMacOfTheJdk(MacAlgorithm algorithm) throws Exception {
    byte[] key = bytes(algorithm.macBytes());
    KeyObject object = imported(key);
    long handle = session.load(object);
    if (!has(algorithm)) {
      refuses(algorithm, handle);
      return;
    }
    for (int length : new int[] {1, 63, 64, 65, 127, 128, 129, 4096}) {
      byte[] message = bytes(length);
      assertThat(session.sign(handle, algorithm, message))
          .isEqualTo(jdkMac(algorithm, key, message));
    }
    session.unload(handle);
    note(Behaviour.IMPORTED, "yes");
  }

  /// The longest key of RFC 4231.
  @Test
  void macOfAnImportedKeyLongerThanABlockEqualsTheMacOfTheJdk() throws Exception {
    byte[] key = bytes(131);
    KeyObject object = imported(key);
    assertThat(session.sign(session.load(object), MacAlgorithm.HMAC_SHA_256, bytes(64)))
        .isEqualTo(jdkMac(MacAlgorithm.HMAC_SHA_256, key, bytes(64)));
    Integer reported = session.find(new Query.ByBoth(object)).getFirst().attributes().keyBytes();
    assertThat(reported).isIn(null, 0, 131);
    note(Behaviour.LONGER_KEY, reported == null ? "-" : reported.toString());
  }

  @ParameterizedTest
  @EnumSource(MacAlgorithm.class)
  void generatedKeyHasTheRequiredAttributesAndSigns(MacAlgorithm algorithm) throws TokenException {
    KeyObject name = fresh();
    KeyAttributes made = session.generate(name, algorithm.macBytes());
    // Only NSS reports a generated key as not local.
    assertThat(made)
        .isEqualTo(
            new KeyAttributes(true, false, true, true, true, made.local(), algorithm.macBytes()));
    note(Behaviour.GENERATED, flags(made));
    List<TokenSession.Found> found = session.find(new Query.ByBoth(name));
    assertThat(found).hasSize(1);
    assertThat(found.getFirst().object()).isEqualTo(name);
    assertThat(found.getFirst().attributes()).isEqualTo(made);
    assertThat(found.getFirst().unfit()).isEmpty();
    long handle = session.load(name);
    if (!has(algorithm)) {
      refuses(algorithm, handle);
      return;
    }
    byte[] mac = session.sign(handle, algorithm, bytes(64));
    assertThat(mac).hasSize(algorithm.macBytes());
    assertThat(session.sign(handle, algorithm, bytes(64))).isEqualTo(mac);
    assertThat(session.sign(handle, algorithm, bytes(65))).isNotEqualTo(mac);
    note(row(algorithm), "yes");
  }

  /// SoftHSM2 has no mechanism that generates HMAC keys.
  @ParameterizedTest
  @EnumSource(MacAlgorithm.class)
  void hmacKeyIsGeneratedIfTheTokenListsItsMechanism(MacAlgorithm algorithm) throws TokenException {
    Pkcs11Token hmac = CHOSEN.find(new Pkcs11Token.Use(sessionCopies, false, KeyTypeSetting.HMAC));
    Set<Long> listed =
        hmac.mechanisms().stream()
            .map(Pkcs11Token.MechanismInfo::type)
            .collect(Collectors.toUnmodifiableSet());
    MacKeyType type = MacKeyType.hmac(algorithm, listed);
    if (type.mechanism() == CkConstants.CKM_GENERIC_SECRET_KEY_GEN || !has(algorithm)) {
      return;
    }
    KeyObject name = fresh();
    try (TokenSession own = hmac.open()) {
      own.generate(name, algorithm.macBytes());
      TokenSession.Found made = own.find(new Query.ByBoth(name)).getFirst();
      assertThat(made.use().keyType()).isEqualTo(type.keyType());
      assertThat(made.unfit(algorithm)).isEmpty();
      assertThat(own.sign(own.load(name), algorithm, bytes(64))).hasSize(algorithm.macBytes());
    }
    // A daemon with another key_type uses the key.
    assertThat(session.sign(session.load(name), algorithm, bytes(64)))
        .hasSize(algorithm.macBytes());
  }

  private void refuses(MacAlgorithm algorithm, long handle) {
    assertThatThrownBy(() -> session.sign(handle, algorithm, bytes(64)))
        .satisfies(failsWith(Kind.UNSUPPORTED));
    note(row(algorithm), "UNSUPPORTED");
  }

  private static Behaviour row(MacAlgorithm algorithm) {
    return switch (algorithm) {
      case HMAC_SHA_224 -> Behaviour.SHA_224;
      case HMAC_SHA_256 -> Behaviour.SHA_256;
      case HMAC_SHA_384 -> Behaviour.SHA_384;
      case HMAC_SHA_512 -> Behaviour.SHA_512;
    };
  }

  @Test
  void randomBytesHaveTheRequestedLengthAndDiffer() throws TokenException {
    for (int count : new int[] {1, 32, 1024}) {
      assertThat(session.random(count)).hasSize(count);
    }
    assertThat(session.random(32)).isNotEqualTo(session.random(32));
  }

  @Test
  void manySessionsComputeTheSameMac() throws TokenException {
    KeyObject name = fresh();
    session.generate(name, 32);
    byte[] mac = session.sign(session.load(name), MacAlgorithm.HMAC_SHA_256, bytes(64));
    List<TokenSession> all = new ArrayList<>();
    try {
      for (int i = 0; i < 64; i++) {
        all.add(token.open());
      }
      for (TokenSession each : all) {
        assertThat(each.sign(each.load(name), MacAlgorithm.HMAC_SHA_256, bytes(64))).isEqualTo(mac);
      }
      note(Behaviour.SESSIONS, "yes");
    } finally {
      all.forEach(TokenSession::close);
    }
  }

  @Test
  void keyOfAnotherProcessIsVisibleAtOnce() throws Exception {
    KeyObject object = fresh();
    assertThat(session.find(new Query.ByBoth(object))).isEmpty();
    CHOSEN.importKey(object, bytes(32));
    assertThat(session.find(new Query.ByBoth(object))).hasSize(1);
    new RawModule(CHOSEN).forbidDerivation(object);
    assertThat(session.sign(session.load(object), MacAlgorithm.HMAC_SHA_256, bytes(64)))
        .isEqualTo(jdkMac(MacAlgorithm.HMAC_SHA_256, bytes(32), bytes(64)));
    note(Behaviour.OTHER_PROCESS, "is used at once");
  }

  @Test
  void keyIsFoundByLabelIdAndBoth() throws TokenException {
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
  void keyWithoutIdIsFoundAndLoaded() throws Exception {
    KeyObject object = new KeyObject(SoftHsm.freshLabel("no-id"), "");
    new RawModule(CHOSEN).create(object, bytes(32), true, false, true);
    List<TokenSession.Found> found = session.find(new Query.ByLabel(object.label()));
    assertThat(found).hasSize(1);
    KeyObject read = found.getFirst().object();
    assertThat(read.label()).isEqualTo(object.label());
    assertThat(session.sign(session.load(read), MacAlgorithm.HMAC_SHA_256, bytes(8)))
        .isEqualTo(jdkMac(MacAlgorithm.HMAC_SHA_256, bytes(32), bytes(8)));
    assertThat(session.find(new Query.ByBoth(read))).hasSize(1);
    note(Behaviour.NO_ID, read.idHex().isEmpty() ? "none" : "one of the token's");
  }

  @Test
  void nonAsciiLabelIsFoundAndReadBack() throws TokenException {
    KeyObject name = new KeyObject(SoftHsm.freshLabel("schlüssel-鍵"), fresh().idHex());
    session.generate(name, 32);
    assertThat(session.find(new Query.ByLabel(name.label())))
        .extracting(TokenSession.Found::object)
        .containsExactly(name);
    assertThat(session.load(name)).isPositive();
  }

  @Test
  void newKeyIsVisibleInOpenSessions() throws TokenException {
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
  void concurrentLoadsOfAKeyFindOneKey() throws Exception {
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

  /// SoftHSM2 hides a new object from all sessions if a search reads the object's file during
  /// C_GenerateKey.
  @Test
  void keyThatIsGeneratedDuringSearchesIsFound() throws Exception {
    var generated = new AtomicBoolean();
    Callable<Boolean> searcher =
        () -> {
          try (TokenSession mine = token.open()) {
            while (!generated.get()) {
              assertThat(mine.find(new Query.ByBoth(ABSENT))).isEmpty();
            }
          }
          return true;
        };
    try (ExecutorService two = Executors.newFixedThreadPool(2)) {
      List<Future<Boolean>> searchers = List.of(two.submit(searcher), two.submit(searcher));
      try {
        for (int i = 0; i < GENERATED; i++) {
          KeyObject name = fresh();
          generateBetweenSearches(name);
          assertThat(session.find(new Query.ByBoth(name))).hasSize(1);
          assertThat(session.destroy(name)).isTrue();
        }
      } finally {
        generated.set(true);
      }
      for (Future<Boolean> each : searchers) {
        assertThat(each.get()).isTrue();
      }
    }
  }

  /// Generates a key. On a busy machine, a search can last longer than a generation waits for it:
  /// then the token has no new object, and the generation is repeated.
  private void generateBetweenSearches(KeyObject name) throws TokenException {
    boolean refused = true;
    while (refused) {
      try {
        var _ = session.generate(name, 32);
        refused = false;
      } catch (TokenException e) {
        assertThat(e).satisfies(failsWith(Kind.UNAVAILABLE));
        assertThat(session.find(new Query.ByBoth(name))).isEmpty();
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
  void duplicateKeyIsNotLoaded() throws TokenException {
    KeyObject name = fresh();
    session.generate(name, 32);
    byte[] first = session.sign(session.load(name), MacAlgorithm.HMAC_SHA_256, bytes(64));
    session.generate(name, 32);
    if (session.find(new Query.ByBoth(name)).size() == 1) {
      // NSS keeps one secret key for each id.
      byte[] now = session.sign(session.load(name), MacAlgorithm.HMAC_SHA_256, bytes(64));
      note(Behaviour.TWICE, Arrays.equals(first, now) ? "is not kept" : "replaces the first");
      return;
    }
    assertThatThrownBy(() -> session.load(name)).satisfies(failsWith(Kind.KEY_AMBIGUOUS));
    assertThatThrownBy(() -> session.destroy(name)).satisfies(failsWith(Kind.KEY_AMBIGUOUS));
    assertThat(session.find(new Query.ByBoth(name))).hasSize(2);
    note(Behaviour.TWICE, "is made");
  }
}

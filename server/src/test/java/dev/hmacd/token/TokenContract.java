package dev.hmacd.token;

import static org.assertj.core.api.Assertions.assertThat;

import dev.hmacd.key.KeyAttributes;
import dev.hmacd.key.KeyObject;
import dev.hmacd.key.MacAlgorithm;
import dev.hmacd.testing.ContractToken;
import dev.hmacd.testing.SoftHsm;
import dev.hmacd.token.Pkcs11Token.MechanismInfo;
import dev.hmacd.token.TokenException.Fault;
import dev.hmacd.token.TokenException.Kind;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.function.Consumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Named;

/// The contract of every [Token], in each variant of its use. Runs on SoftHSM2 with all other
/// tests, and on each token of `scripts/tokens` in a separate JVM. Permitted differences between
/// tokens are noted as [Behaviour]s.
abstract class TokenContract {
  /// The method source for the parameters of each test class.
  static final String VARIANTS = "dev.hmacd.token.TokenContract#variants";

  static final ContractToken CHOSEN = ContractToken.ofThisJvm();
  private static final Pattern CODE = Pattern.compile("returned (?:CKR_)?(.*)");
  private static final Map<MacAlgorithm, Long> MECHANISMS =
      new EnumMap<>(
          Map.of(
              MacAlgorithm.HMAC_SHA_224, CkConstants.CKM_SHA224_HMAC,
              MacAlgorithm.HMAC_SHA_256, CkConstants.CKM_SHA256_HMAC,
              MacAlgorithm.HMAC_SHA_384, CkConstants.CKM_SHA384_HMAC,
              MacAlgorithm.HMAC_SHA_512, CkConstants.CKM_SHA512_HMAC));

  /// Finds the token again.
  private interface Finder {
    Token find() throws TokenException;
  }

  /// A variant of the token's use. Each test has its own [Token], because a token keeps state of
  /// unloaded handles.
  static final class Variant {
    private final boolean sessionCopies;
    private final Finder finder;

    private Variant(boolean sessionCopies, Finder finder) {
      this.sessionCopies = sessionCopies;
      this.finder = finder;
    }
  }

  static List<Named<Variant>> variants() {
    List<Named<Variant>> all = new ArrayList<>();
    all.add(
        Named.of(CHOSEN.name() + ", session copies", new Variant(true, () -> CHOSEN.find(true))));
    all.add(
        Named.of(CHOSEN.name() + ", token objects", new Variant(false, () -> CHOSEN.find(false))));
    if (!ContractToken.isChosen()) {
      all.add(
          Named.of(
              "FaultyToken in front", new Variant(true, () -> new FaultyToken(CHOSEN.find(true)))));
    }
    return all;
  }

  private final Finder finder;
  final boolean sessionCopies;
  Token token;
  TokenSession session;

  @SuppressWarnings("NullAway.Init") // open() sets token and session.
  TokenContract(Variant variant) {
    this.finder = variant.finder;
    this.sessionCopies = variant.sessionCopies;
  }

  @BeforeEach
  void open() throws TokenException {
    token = finder.find();
    session = token.open();
  }

  /// A new [Token], as in a daemon that starts later.
  Token newToken() throws TokenException {
    return finder.find();
  }

  @AfterEach
  void close() {
    session.close();
  }

  /// Imports a known key with valid attributes.
  static KeyObject imported(byte[] key) throws Exception {
    KeyObject object = fresh();
    new RawModule(CHOSEN).create(object, key, true, false, true);
    return object;
  }

  static void note(Behaviour behaviour, String what) {
    Behaviours.note(behaviour, what);
  }

  /// Whether the token's mechanism list contains the algorithm.
  static boolean has(MacAlgorithm algorithm) throws TokenException {
    Set<Long> usable =
        CHOSEN.find(false).mechanisms().stream()
            .filter(MechanismInfo::usable)
            .map(MechanismInfo::type)
            .collect(Collectors.toSet());
    return usable.contains(MECHANISMS.get(algorithm));
  }

  static byte[] jdkMac(MacAlgorithm algorithm, byte[] key, byte[] message) throws Exception {
    String name = "HmacSHA" + algorithm.name().substring("HMAC_SHA_".length());
    Mac mac = Mac.getInstance(name, "SunJCE");
    mac.init(new SecretKeySpec(key, name));
    return mac.doFinal(message);
  }

  static Consumer<Throwable> failsWith(Kind kind) {
    return thrown ->
        assertThat(thrown)
            .isInstanceOfSatisfying(
                TokenException.class, failure -> assertThat(failure.kind()).isEqualTo(kind));
  }

  static Consumer<Throwable> failsWith(Fault fault) {
    return thrown ->
        assertThat(thrown)
            .isInstanceOfSatisfying(
                TokenException.class, failure -> assertThat(failure.fault()).isEqualTo(fault));
  }

  /// The return code in a failure, without its prefix `CKR_`.
  static String code(TokenException failure) {
    Matcher matcher = CODE.matcher(String.valueOf(failure.getMessage()));
    assertThat(matcher.find()).as(failure.getMessage()).isTrue();
    return matcher.group(1);
  }

  /// The attributes in the order of [Behaviour#GENERATED].
  static String flags(KeyAttributes read) {
    return String.join(
        " ",
        flags(read.sensitive()),
        flags(read.extractable()),
        flags(read.alwaysSensitive()),
        flags(read.neverExtractable()),
        flags(read.local()));
  }

  private static String flags(@Nullable Boolean flag) {
    return flag == null ? "-" : flag ? "1" : "0";
  }

  static KeyObject fresh() {
    return new KeyObject(
        SoftHsm.freshLabel("contract"), UUID.randomUUID().toString().replace("-", ""));
  }

  static byte[] bytes(int length) {
    byte[] bytes = new byte[length];
    IntStream.range(0, length).forEach(i -> bytes[i] = (byte) (i * 7 + length));
    return bytes;
  }
}

package dev.hmacd.token;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.hmacd.key.KeyObject;
import dev.hmacd.token.TokenException.Kind;
import dev.hmacd.token.TokenSession.Found;
import dev.hmacd.token.TokenSession.Query;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import sun.security.pkcs11.wrapper.PKCS11Constants;
import sun.security.pkcs11.wrapper.PKCS11Exception;

/// The usage attributes of a key are read back from the token. A key that allows more than MACs is
/// refused, or reported.
@ParameterizedClass
@MethodSource(TokenContract.VARIANTS)
final class TokenUseContractTest extends TokenContract {
  TokenUseContractTest(Variant variant) {
    super(variant);
  }

  /// An attribute with a required value: an object with another value is refused.
  enum Decisive {
    PRIVATE(PKCS11Constants.CKA_PRIVATE, true, Behaviour.WITH_PRIVATE),
    SENSITIVE(PKCS11Constants.CKA_SENSITIVE, true, Behaviour.WITH_SENSITIVE),
    EXTRACTABLE(PKCS11Constants.CKA_EXTRACTABLE, false, Behaviour.WITH_EXTRACTABLE),
    SIGN(PKCS11Constants.CKA_SIGN, true, Behaviour.WITH_SIGN),
    DERIVE(PKCS11Constants.CKA_DERIVE, false, Behaviour.WITH_DERIVE);

    private final long type;
    private final boolean safe;
    private final Behaviour row;

    Decisive(long type, boolean safe, Behaviour row) {
      this.type = type;
      this.safe = safe;
      this.row = row;
    }
  }

  /// An attribute that is reported if it is true.
  enum Idle {
    ENCRYPT(PKCS11Constants.CKA_ENCRYPT, Behaviour.WITH_ENCRYPT),
    DECRYPT(PKCS11Constants.CKA_DECRYPT, Behaviour.WITH_DECRYPT),
    WRAP(PKCS11Constants.CKA_WRAP, Behaviour.WITH_WRAP),
    UNWRAP(PKCS11Constants.CKA_UNWRAP, Behaviour.WITH_UNWRAP);

    private final long type;
    private final Behaviour row;

    Idle(long type, Behaviour row) {
      this.type = type;
      this.row = row;
    }
  }

  private static final List<Optional<Boolean>> VALUES =
      List.of(Optional.of(true), Optional.of(false), Optional.empty());

  private Optional<KeyObject> created(long type, Optional<Boolean> value) throws Exception {
    KeyObject name = fresh();
    try {
      new RawModule(CHOSEN).create(name, bytes(32), Map.of(type, value));
      return Optional.of(name);
    } catch (PKCS11Exception e) {
      return Optional.empty();
    }
  }

  private Found found(KeyObject name) throws TokenException {
    List<Found> found = session.find(new Query.ByBoth(name));
    assertThat(found).hasSize(1);
    return found.getFirst();
  }

  @ParameterizedTest
  @EnumSource(Decisive.class)
  void keyIsAcceptedOnlyWithTheRequiredAttribute(Decisive attribute) throws Exception {
    List<String> seen = new ArrayList<>();
    for (Optional<Boolean> value : VALUES) {
      Optional<KeyObject> name = created(attribute.type, value);
      if (name.isEmpty()) {
        seen.add("not made");
        continue;
      }
      Optional<Boolean> reported = new RawModule(CHOSEN).flag(name.get(), attribute.type);
      var unfit = found(name.get()).unfit();
      // NSS does not report CKA_DERIVE false.
      if (reported.equals(Optional.of(attribute.safe))
          || (attribute == Decisive.DERIVE && reported.isEmpty())) {
        assertThat(unfit).isEmpty();
        session.unload(session.load(name.get()));
        seen.add("taken");
      } else {
        assertThat(unfit).isPresent();
        assertThat(unfit.get().attribute()).isEqualTo("CKA_" + attribute);
        assertThat(unfit.get().rule()).isEqualTo("must be " + attribute.safe);
        assertThat(unfit.get().found()).isEqualTo(reported.map(String::valueOf).orElse("unknown"));
        assertThatThrownBy(() -> session.load(name.get())).satisfies(failsWith(Kind.KEY_UNFIT));
        seen.add("refused");
      }
    }
    note(attribute.row, String.join(", ", seen));
  }

  @ParameterizedTest
  @EnumSource(Idle.class)
  void unusableUsageAttributeIsReported(Idle attribute) throws Exception {
    List<String> seen = new ArrayList<>();
    for (Optional<Boolean> value : VALUES) {
      Optional<KeyObject> name = created(attribute.type, value);
      if (name.isEmpty()) {
        seen.add("not made");
        continue;
      }
      boolean reported = new RawModule(CHOSEN).flag(name.get(), attribute.type).orElse(false);
      Found found = found(name.get());
      assertThat(found.unfit()).isEmpty();
      assertThat(found.use().idleUses().contains("CKA_" + attribute)).isEqualTo(reported);
      seen.add(reported ? "taken and told" : "taken");
    }
    note(attribute.row, String.join(", ", seen));
  }

  /// No cipher accepts the key type, so keys with CKA_ENCRYPT true are accepted.
  @Test
  void hmacKeyIsRefusedByACipher() throws Exception {
    KeyObject name = fresh();
    new RawModule(CHOSEN)
        .create(name, bytes(32), Map.of(PKCS11Constants.CKA_ENCRYPT, Optional.of(true)));
    String answer = new RawModule(CHOSEN).encrypt(session.load(name));
    assertThat(answer).isNotEqualTo("works");
    note(Behaviour.AES_USE, answer);
  }

  @Test
  void generatedKeyAllowsMacsOnly() throws Exception {
    KeyObject name = fresh();
    session.generate(name, 32);
    Found made = found(name);
    assertThat(made.unfit()).isEmpty();
    assertThat(made.use().idleUses()).isEmpty();
    List<Optional<Boolean>> reported = new ArrayList<>();
    for (long type : uses()) {
      reported.add(new RawModule(CHOSEN).flag(name, type));
    }
    assertThat(reported.subList(0, 5)).allSatisfy(use -> assertThat(use.orElse(false)).isFalse());
    if (sessionCopies) {
      note(
          Behaviour.GENERATED_USES,
          reported.stream()
              .map(use -> use.map(flag -> flag ? "1" : "0").orElse("-"))
              .collect(Collectors.joining(" ")));
    } else {
      assertThat(reported.getLast().orElse(false)).isFalse();
    }
    assertThat(new RawModule(CHOSEN).flag(name, PKCS11Constants.CKA_PRIVATE)).contains(true);
    assertThat(session.destroy(name)).isTrue();
  }

  private static long[] uses() {
    return Stream.of(
            PKCS11Constants.CKA_ENCRYPT,
            PKCS11Constants.CKA_DECRYPT,
            PKCS11Constants.CKA_WRAP,
            PKCS11Constants.CKA_UNWRAP,
            PKCS11Constants.CKA_DERIVE,
            PKCS11Constants.CKA_MODIFIABLE)
        .mapToLong(Long::longValue)
        .toArray();
  }

  @Test
  void sessionCopyAllowsNoMoreThanItsKey() throws Exception {
    KeyObject name = fresh();
    session.generate(name, 32);
    long handle = session.load(name);
    String reported = new RawModule(CHOSEN).flags(handle, uses());
    assertThat(reported).matches("[0-] [0-] [0-] [0-] [0-] [01-]");
    if (sessionCopies) {
      note(Behaviour.COPY_USES, reported);
    }
  }
}

package dev.hmacd.token;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.hmacd.key.KeyAttributes;
import dev.hmacd.key.KeyObject;
import dev.hmacd.token.TokenException.Kind;
import dev.hmacd.token.TokenSession.Query;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.MethodSource;

/// What a token says of keys is read back, and proved where it can be.
@ParameterizedClass
@MethodSource(TokenContract.VARIANTS)
final class TokenAttributesContractTest extends TokenContract {
  TokenAttributesContractTest(Variant variant) {
    super(variant);
  }

  @Test
  void importedKeyIsToldToBeSo() throws Exception {
    KeyObject object = imported(bytes(32));
    KeyAttributes told = session.find(new Query.ByBoth(object)).getFirst().attributes();
    assertThat(told.unfit()).isEmpty();
    assertThat(told.local()).isFalse();
    note(Behaviour.IMPORTED_ATTRIBUTES, told(told));
  }

  @Test
  void extractableKeyIsNotLoadedAndItsAttributesAreTold() throws Exception {
    KeyObject object = fresh();
    new RawModule(CHOSEN).create(object, bytes(32), true, true, true);
    assertThatThrownBy(() -> session.load(object)).satisfies(failsWith(Kind.KEY_UNFIT));
    KeyAttributes told = session.find(new Query.ByBoth(object)).getFirst().attributes();
    assertThat(told.extractable()).isTrue();
    assertThat(told.local()).isFalse();
  }

  @Test
  void keyThatMayNotSignIsNotLoaded() throws Exception {
    KeyObject object = fresh();
    new RawModule(CHOSEN).create(object, bytes(32), true, false, false);
    KeyAttributes told = session.find(new Query.ByBoth(object)).getFirst().attributes();
    assertThat(told.sign()).isFalse();
    assertThatThrownBy(() -> session.load(object)).satisfies(failsWith(Kind.KEY_UNFIT));
  }

  @Test
  void keyThatIsNotSensitiveIsNotLoaded() throws Exception {
    KeyObject object = fresh();
    new RawModule(CHOSEN).create(object, bytes(32), false, false, true);
    KeyAttributes told = session.find(new Query.ByBoth(object)).getFirst().attributes();
    if (Boolean.TRUE.equals(told.sensitive())) {
      // NSS keeps no others.
      note(Behaviour.NOT_SENSITIVE, "made sensitive");
    } else {
      assertThatThrownBy(() -> session.load(object)).satisfies(failsWith(Kind.KEY_UNFIT));
      note(Behaviour.NOT_SENSITIVE, "refused");
    }
  }

  @Test
  void copyInASessionIsAsProtectedAsItsKey() throws Exception {
    KeyObject name = fresh();
    session.generate(name, 32);
    KeyAttributes read = new RawModule(CHOSEN).attributes(session.load(name));
    assertThat(read.unfit()).isEmpty();
    if (sessionCopies) {
      note(Behaviour.COPY, told(read));
    } else {
      note(Behaviour.GENERATED, told(read));
    }
  }

  /// What the token does with a key that must not leave it, `hmacd check` tells.
  @Test
  void whetherAKeyCanBeTakenOutIsToldAndTheTokenIsLeftAsItWas() throws TokenException {
    KeyObject name = fresh();
    ExtractionTrial.Result result = CHOSEN.find(sessionCopies).tryExtraction(name);
    assertThat(result.attributes().unfit()).isEmpty();
    assertThat(result.valueTold()).isFalse();
    assertThat(result.copyLoosened()).isFalse();
    assertThat(session.find(new Query.ByLabel(name.label()))).isEmpty();
    note(Behaviour.EXTRACTION, result.wrappedBy().isEmpty() ? "refused" : "**allowed**");
    List<String> wrapping = result.wrappedBy().isEmpty() ? result.refusedBy() : result.wrappedBy();
    note(
        Behaviour.CHECKED_WRAPPING,
        wrapping.isEmpty() ? "none" : String.join(", ", wrapping).replace("CKM_AES_", ""));
  }
}

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

/// The attributes of keys, as the token reports them, and attempts to violate them.
@ParameterizedClass
@MethodSource(TokenContract.VARIANTS)
final class TokenAttributesContractTest extends TokenContract {
  TokenAttributesContractTest(Variant variant) {
    super(variant);
  }

  @Test
  void importedKeyIsNotLocal() throws Exception {
    KeyObject object = imported(bytes(32));
    KeyAttributes read = session.find(new Query.ByBoth(object)).getFirst().attributes();
    assertThat(read.unfit()).isEmpty();
    assertThat(read.local()).isFalse();
    note(Behaviour.IMPORTED_ATTRIBUTES, flags(read));
  }

  @Test
  void extractableKeyIsNotLoadedAndItsAttributesAreReported() throws Exception {
    KeyObject object = fresh();
    new RawModule(CHOSEN).create(object, bytes(32), true, true, true);
    assertThatThrownBy(() -> session.load(object)).satisfies(failsWith(Kind.KEY_UNFIT));
    KeyAttributes read = session.find(new Query.ByBoth(object)).getFirst().attributes();
    assertThat(read.extractable()).isTrue();
    assertThat(read.local()).isFalse();
  }

  @Test
  void keyThatMayNotSignIsNotLoaded() throws Exception {
    KeyObject object = fresh();
    new RawModule(CHOSEN).create(object, bytes(32), true, false, false);
    KeyAttributes read = session.find(new Query.ByBoth(object)).getFirst().attributes();
    assertThat(read.sign()).isFalse();
    assertThatThrownBy(() -> session.load(object)).satisfies(failsWith(Kind.KEY_UNFIT));
  }

  @Test
  void keyThatIsNotSensitiveIsNotLoaded() throws Exception {
    KeyObject object = fresh();
    new RawModule(CHOSEN).create(object, bytes(32), false, false, true);
    KeyAttributes read = session.find(new Query.ByBoth(object)).getFirst().attributes();
    if (Boolean.TRUE.equals(read.sensitive())) {
      // NSS makes all keys sensitive.
      note(Behaviour.NOT_SENSITIVE, "made sensitive");
    } else {
      assertThatThrownBy(() -> session.load(object)).satisfies(failsWith(Kind.KEY_UNFIT));
      note(Behaviour.NOT_SENSITIVE, "refused");
    }
  }

  @Test
  void sessionCopyIsAsProtectedAsItsKey() throws Exception {
    KeyObject name = fresh();
    session.generate(name, 32);
    KeyAttributes read = new RawModule(CHOSEN).attributes(session.load(name));
    assertThat(read.unfit()).isEmpty();
    if (sessionCopies) {
      note(Behaviour.COPY, flags(read));
    } else {
      note(Behaviour.GENERATED, flags(read));
    }
  }

  /// `hmacd check` reports whether a key can be extracted.
  @Test
  void extractionTrialReportsItsResultAndLeavesNoObject() throws TokenException {
    KeyObject name = fresh();
    ExtractionAttempt.Result result = CHOSEN.find(sessionCopies).tryExtraction(name);
    assertThat(result.attributes().unfit()).isEmpty();
    assertThat(result.valueRevealed()).isFalse();
    assertThat(result.copyLoosened()).isFalse();
    assertThat(session.find(new Query.ByLabel(name.label()))).isEmpty();
    note(Behaviour.EXTRACTION, result.wrappedBy().isEmpty() ? "refused" : "**allowed**");
    List<String> wrapping = result.wrappedBy().isEmpty() ? result.refusedBy() : result.wrappedBy();
    note(
        Behaviour.CHECKED_WRAPPING,
        wrapping.isEmpty() ? "none" : String.join(", ", wrapping).replace("CKM_AES_", ""));
  }
}

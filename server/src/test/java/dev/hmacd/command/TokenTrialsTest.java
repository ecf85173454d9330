package dev.hmacd.command;

import static org.assertj.core.api.Assertions.assertThat;

import dev.hmacd.config.Config;
import dev.hmacd.testing.SoftHsm;
import dev.hmacd.token.KeyTypeSetting;
import dev.hmacd.token.Pkcs11Token;
import dev.hmacd.token.TokenSelector;
import java.time.Duration;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/// The trials of `hmacd check` on SoftHSM2. `scripts/tokens` runs them on tokens with extractable
/// keys.
final class TokenTrialsTest {
  private static final SoftHsm HSM = SoftHsm.shared();

  private static Config.TokenSettings settings(int lanes) {
    return new Config.TokenSettings(
        HSM.module(),
        Optional.empty(),
        new TokenSelector.ByLabel(SoftHsm.LABEL),
        HSM.pinFile(),
        lanes,
        100,
        true,
        false,
        KeyTypeSetting.AUTO,
        new Config.Probing(
            Duration.ofSeconds(1), Duration.ofSeconds(1), Duration.ofSeconds(1), false),
        new Config.Hanging(Duration.ofSeconds(1), 0));
  }

  @Test
  void keysAreNotExtractableFromSoftHsmAndNoObjectRemains() throws Exception {
    Checklist list = new Checklist();
    Pkcs11Token token = HSM.token();
    String before = HSM.list();
    new TokenTrials(token, settings(7), list).run();
    String table = list.table();
    assertThat(list.hasFailed()).as(table).isFalse();
    assertThat(table.lines())
        .noneMatch(line -> line.startsWith("WARN"))
        .anyMatch(line -> line.matches("OK +key trial +sensitive=true extractable=false .*"))
        .anyMatch(line -> line.matches("OK +value +the token does not reveal .*"))
        .anyMatch(line -> line.matches("OK +copy +no copy is less protected .*"))
        .anyMatch(
            line -> line.matches("OK +wrapping +the token refuses to wrap .* CKM_AES_KEY_WRAP.*"))
        .anyMatch(line -> line.matches("OK +key type +new keys are generic secrets .*"))
        .anyMatch(line -> line.matches("OK +token objects +[\\d,]+ with 1 session, .*"))
        .anyMatch(line -> line.matches("OK +session copies +[\\d,]+ with 1 session, .*"))
        .anyMatch(
            line ->
                line.matches(
                    "OK +recommended +lanes: \\d+, session_copies: (true|false);"
                        + " configured are 7 and true"));
    assertThat(HSM.list()).isEqualTo(before);
  }
}

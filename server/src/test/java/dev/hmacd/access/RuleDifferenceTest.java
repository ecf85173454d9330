package dev.hmacd.access;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

/// Numbers of added, removed and changed rules.
final class RuleDifferenceTest {
  private static final Rule A = rule("uid:1", Action.GENERATE_MAC, "alias/a");
  private static final Rule B = rule("uid:2", Action.GENERATE_MAC, "alias/a");
  private static final Rule OTHER_ACTION_OF_A = rule("uid:1", Action.VERIFY_MAC, "alias/a");
  private static final Rule OTHER_KEY_OF_A = rule("uid:1", Action.GENERATE_MAC, "alias/b");

  private static Rule rule(String principal, Action action, String key) {
    return new Rule(
        List.of(PrincipalPattern.parse(principal)),
        Set.of(action),
        List.of(Rule.KeyPattern.parse(key)));
  }

  private static void assertChanges(
      List<Rule> before, List<Rule> after, int added, int removed, int changed) {
    assertThat(RuleDifference.between(before, after))
        .isEqualTo(new RuleDifference(added, removed, changed));
  }

  @Test
  void sameRulesAreNoChange() {
    assertChanges(List.of(A, B), List.of(A, B), 0, 0, 0);
    assertThat(RuleDifference.between(List.of(A), List.of(A)).isEmpty()).isTrue();
  }

  @Test
  void anotherOrderIsNoChange() {
    assertChanges(List.of(A, B), List.of(B, A), 0, 0, 0);
  }

  @Test
  void ruleWithNewPrincipalsIsAdded() {
    assertChanges(List.of(A), List.of(B, A), 1, 0, 0);
    assertThat(RuleDifference.between(List.of(A), List.of(B, A)).isEmpty()).isFalse();
  }

  @Test
  void missingRuleIsRemoved() {
    assertChanges(List.of(A, B), List.of(), 0, 2, 0);
  }

  @Test
  void ruleWithTheSamePrincipalsIsChanged() {
    assertChanges(List.of(A, B), List.of(B, OTHER_ACTION_OF_A), 0, 0, 1);
    assertChanges(List.of(A), List.of(OTHER_KEY_OF_A), 0, 0, 1);
  }

  @Test
  void secondRuleOfTheSamePrincipalsIsAdded() {
    assertChanges(List.of(A), List.of(A, OTHER_KEY_OF_A), 1, 0, 0);
    assertChanges(List.of(A), List.of(OTHER_ACTION_OF_A, OTHER_KEY_OF_A), 1, 0, 1);
  }

  /// Two equal rules are two rules.
  @Test
  void duplicateIsCounted() {
    assertChanges(List.of(A), List.of(A, A), 1, 0, 0);
    assertChanges(List.of(A, A), List.of(A), 0, 1, 0);
  }

  @Test
  void versionChangesOnlyWithTheRules() {
    var access = new Access(List.of(A, B));
    Object version = access.version();
    assertThat(access.replace(List.of(A, B)).isEmpty()).isTrue();
    assertThat(access.version()).isSameAs(version);
    assertThat(access.replace(List.of(A))).isEqualTo(new RuleDifference(0, 1, 0));
    assertThat(access.version()).isNotSameAs(version);
  }
}

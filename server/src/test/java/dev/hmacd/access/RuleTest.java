package dev.hmacd.access;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.junit.jupiter.params.provider.Arguments.argumentSet;

import dev.hmacd.access.Rule.KeyPattern;
import dev.hmacd.access.Rule.PrincipalPattern;
import dev.hmacd.key.Alias;
import dev.hmacd.key.KeyEntry;
import dev.hmacd.key.KeyId;
import dev.hmacd.key.KeyObject;
import dev.hmacd.key.KeyOrigin;
import dev.hmacd.key.KeySpec;
import dev.hmacd.key.KeyState;
import java.time.Instant;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

final class RuleTest {
  private static final KeyId ID = new KeyId("01234567-89ab-cdef-0123-456789abcdef");
  private static final KeyId OTHER_ID = new KeyId("01234567-89ab-cdef-0123-456789abcdee");

  private static final String USER = "arn:aws:iam::123456789012:user/";
  private static final String OTHER_USER = "arn:aws:iam::123456789013:user/";

  private static KeyEntry key(String... aliases) {
    return new KeyEntry(
        ID,
        KeySpec.HMAC_256,
        KeyState.ENABLED,
        KeyOrigin.GENERATED,
        Instant.EPOCH,
        "",
        1,
        List.of("serial"),
        KeyObject.of(ID, 1),
        null,
        null,
        null,
        Arrays.stream(aliases).map(Alias::new).collect(Collectors.toSet()));
  }

  static Stream<Arguments> principals() {
    return Stream.of(
        argumentSet("the same SPIFFE ID", "spiffe://td/billing", "spiffe://td/billing", true),
        argumentSet("a longer SPIFFE ID", "spiffe://td/billing", "spiffe://td/billing2", false),
        argumentSet("a SPIFFE ID below", "spiffe://td/billing", "spiffe://td/billing/eu", false),
        argumentSet("other capitals", "spiffe://td/billing", "spiffe://td/Billing", false),
        argumentSet("SPIFFE prefix fits what starts so", "spiffe://td/b*", "spiffe://td/bi", true),
        argumentSet("SPIFFE prefix fits itself", "spiffe://td/b*", "spiffe://td/b", true),
        argumentSet("SPIFFE prefix of a folder", "spiffe://td/b/*", "spiffe://td/bi", false),
        argumentSet("whole trust domain", "spiffe://td/*", "spiffe://td/any/thing", true),
        argumentSet("a trust domain that goes on", "spiffe://td/*", "spiffe://td.evil/x", false),
        argumentSet("the trust domain itself", "spiffe://td/*", "spiffe://td", false),
        argumentSet("the same DNS name", "dns:a.example", "dns:a.example", true),
        argumentSet("a DNS name is no CN", "dns:a.example", "cn:a.example", false),
        argumentSet("a CN is no user id", "cn:1000", "uid:1000", false),
        argumentSet("all CNs", "cn:*", "cn:anybody", true),
        argumentSet("all CNs, but no DNS name", "cn:*", "dns:anybody", false),
        argumentSet("the same user id", "uid:1000", "uid:1000", true),
        argumentSet("a longer user id", "uid:100", "uid:1000", false),
        argumentSet("an asterisk inside is one", "dns:*.example", "dns:*.example", true),
        argumentSet("an asterisk inside is no wildcard", "dns:*.example", "dns:a.example", false),
        argumentSet("a CN that looks like a SPIFFE ID", "spiffe://td/a", "cn:spiffe://td/a", false),
        argumentSet("another partition", USER + "ci", USER.replace("aws", "aws-cn") + "ci", false),
        argumentSet("the same user", USER + "ci", USER + "ci", true),
        argumentSet("a longer user", USER + "ci", USER + "ci2", false),
        argumentSet("users that start so", USER + "ci-*", USER + "ci-1", true),
        argumentSet("users of a path", USER + "ci/*", USER + "ci/a/b", true),
        argumentSet("all users of an account", USER + "*", USER + "a", true),
        argumentSet("an account that differs in its end", USER + "*", OTHER_USER + "a", false),
        argumentSet("a CN that looks like an ARN", USER + "ci", "cn:" + USER + "ci", false),
        argumentSet("a dot is a dot", "dns:a.example", "dns:aXexample", false));
  }

  @ParameterizedTest
  @MethodSource("principals")
  void patternFitsPrincipals(String pattern, String principal, boolean fits) {
    assertThat(PrincipalPattern.parse(pattern).fits(new Principal(principal))).isEqualTo(fits);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "*",
        "**",
        "billing",
        "spiffe://",
        "spiffe://*",
        "spiffe://td*",
        "spiffe:*",
        "dns:",
        "cn:",
        "uid:",
        "DNS:a",
        " uid:0",
        "role:a",
        "arn:*",
        "arn:aws:iam::*",
        "arn:aws:iam::12345678901*",
        "arn:aws:iam::123456789012:*",
        "arn:aws:iam::*:user/ci",
        "arn:aws:iam::*:user/*",
        "arn:aws:iam::123456789012:user/",
        "arn:aws:iam::123456789012:user/a b",
        "arn:aws:iam::123456789012:user/a*b",
        "arn:aws:iam::123456789012:role/ci*",
        "arn:aws:iam::123456789012:root",
        "arn:aws:sts::123456789012:user/ci",
        "arn::iam::123456789012:user/ci",
      })
  void patternWithoutKindOrWithHalfATrustDomainOrAccountIsRefused(String pattern) {
    assertThatIllegalArgumentException().isThrownBy(() -> PrincipalPattern.parse(pattern));
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "spiffe://", "dns:", "cn:", "uid:", "billing", "Uid:0", "*", "arn:x"})
  void principalWithoutKindOrNameIsNone(String name) {
    assertThatIllegalArgumentException().isThrownBy(() -> new Principal(name));
  }

  @Test
  void principalLongerThanTheLimitIsNone() {
    String longest = "cn:" + "x".repeat(Principal.MAX_LENGTH - 3);
    assertThat(new Principal(longest).name()).isEqualTo(longest);
    assertThatIllegalArgumentException().isThrownBy(() -> new Principal(longest + "x"));
  }

  @Test
  void userIdIsReadAsUnsigned() {
    assertThat(Principal.uid(-2).name()).isEqualTo("uid:4294967294");
  }

  static Stream<Arguments> keys() {
    KeyEntry bare = key();
    KeyEntry named = key("alias/orders", "alias/eu/orders");
    return Stream.of(
        argumentSet("all, without alias", "*", bare, true),
        argumentSet("all, with aliases", "*", named, true),
        argumentSet("its id", ID.value(), named, true),
        argumentSet("another id", OTHER_ID.value(), named, false),
        argumentSet("one of its aliases", "alias/eu/orders", named, true),
        argumentSet("the start of an alias", "alias/order", named, false),
        argumentSet("a longer alias", "alias/orders2", named, false),
        argumentSet("an alias without alias", "alias/orders", bare, false),
        argumentSet("alias prefix", "alias/eu/*", named, true),
        argumentSet("alias prefix within a name", "alias/ord*", named, true),
        argumentSet("other alias prefix", "alias/us/*", named, false),
        argumentSet("any alias", "alias/*", named, true),
        argumentSet("any alias, without alias", "alias/*", bare, false),
        argumentSet("other capitals", "alias/Orders", named, false));
  }

  @ParameterizedTest
  @MethodSource("keys")
  void patternFitsKeys(String pattern, KeyEntry key, boolean fits) {
    assertThat(KeyPattern.parse(pattern).fits(key)).isEqualTo(fits);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "**",
        "orders",
        "alias/",
        "alias/a*b",
        "alias/**",
        "alias/a b",
        "alias*",
        "01234567*",
        "01234567-89AB-CDEF-0123-456789ABCDEF",
        "0123456789abcdef0123456789abcdef",
        "arn:aws:kms:eu-central-1:123456789012:key/01234567-89ab-cdef-0123-456789abcdef",
      })
  void keyPatternOfNoFormIsRefused(String pattern) {
    assertThatIllegalArgumentException().isThrownBy(() -> KeyPattern.parse(pattern));
  }

  private static Rule rule(String principal, Set<Action> actions, String key) {
    return new Rule(
        List.of(PrincipalPattern.parse(principal)), actions, List.of(KeyPattern.parse(key)));
  }

  @ParameterizedTest
  @EnumSource
  void actionWithoutKeyIsAllowedForAllKeysOnly(Action action) {
    assertThat(rule("uid:0", EnumSet.of(action), "*").actions()).containsExactly(action);
    for (String some : new String[] {ID.value(), "alias/a", "alias/*"}) {
      if (action.isForOneKey()) {
        assertThat(rule("uid:0", EnumSet.of(action), some).actions()).containsExactly(action);
      } else {
        assertThatIllegalArgumentException()
            .isThrownBy(() -> rule("uid:0", EnumSet.of(action), some))
            .withMessage("[" + action + "] can only be allowed with keys: [\"*\"]");
      }
    }
  }

  @Test
  void withoutRulesNothingIsAllowed() {
    var access = new Access(List.of());
    for (Action action : Action.values()) {
      assertThat(access.decide(Principal.uid(0), action, key("alias/a")).isAllowed()).isFalse();
      assertThat(access.decideOnAllKeys(Principal.uid(0), action).isAllowed()).isFalse();
    }
  }

  @Test
  void ruleAllowsItsPrincipalsItsActionsOnItsKeysAndNoMore() {
    var access = new Access(List.of(rule("uid:1", EnumSet.of(Action.GENERATE_MAC), "alias/a")));
    assertThat(access.decide(Principal.uid(1), Action.GENERATE_MAC, key("alias/a")).isAllowed())
        .isTrue();
    assertThat(access.decide(Principal.uid(2), Action.GENERATE_MAC, key("alias/a")).isAllowed())
        .isFalse();
    assertThat(access.decide(Principal.uid(1), Action.VERIFY_MAC, key("alias/a")).isAllowed())
        .isFalse();
    assertThat(access.decide(Principal.uid(1), Action.GENERATE_MAC, key("alias/b")).isAllowed())
        .isFalse();
    assertThat(access.decideOnAllKeys(Principal.uid(1), Action.GENERATE_MAC).isAllowed()).isFalse();
  }

  @Test
  void rulesDoNotLendEachOtherPrincipalsActionsOrKeys() {
    var access =
        new Access(
            List.of(
                rule("uid:1", EnumSet.of(Action.GENERATE_MAC), "alias/a"),
                rule("uid:1", EnumSet.of(Action.VERIFY_MAC), "*"),
                rule("uid:2", EnumSet.of(Action.GENERATE_MAC), "*")));
    assertThat(access.decide(Principal.uid(1), Action.GENERATE_MAC, key("alias/b")).isAllowed())
        .isFalse();
    assertThat(access.decideOnAllKeys(Principal.uid(1), Action.GENERATE_MAC).isAllowed()).isFalse();
    assertThat(access.decideOnAllKeys(Principal.uid(1), Action.VERIFY_MAC).isAllowed()).isTrue();
    assertThat(access.decide(Principal.uid(2), Action.VERIFY_MAC, key("alias/b")).isAllowed())
        .isFalse();
  }
}

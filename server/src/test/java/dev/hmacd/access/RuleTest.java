package dev.hmacd.access;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.junit.jupiter.params.provider.Arguments.argumentSet;

import dev.hmacd.access.Rule.KeyPattern;
import dev.hmacd.access.Rule.PrincipalPattern;
import dev.hmacd.key.Alias;
import dev.hmacd.key.Key;
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

  private static Key key(String... aliases) {
    return new Key(
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
        argumentSet("equal SPIFFE ID", "spiffe://td/billing", "spiffe://td/billing", true),
        argumentSet(
            "SPIFFE ID with a longer last segment",
            "spiffe://td/billing",
            "spiffe://td/billing2",
            false),
        argumentSet(
            "SPIFFE ID with one more segment",
            "spiffe://td/billing",
            "spiffe://td/billing/eu",
            false),
        argumentSet("different case", "spiffe://td/billing", "spiffe://td/Billing", false),
        argumentSet("SPIFFE prefix of a longer segment", "spiffe://td/b*", "spiffe://td/bi", true),
        argumentSet("SPIFFE prefix itself", "spiffe://td/b*", "spiffe://td/b", true),
        argumentSet(
            "SPIFFE prefix that ends with a slash", "spiffe://td/b/*", "spiffe://td/bi", false),
        argumentSet("whole trust domain", "spiffe://td/*", "spiffe://td/any/thing", true),
        argumentSet("longer trust domain", "spiffe://td/*", "spiffe://td.evil/x", false),
        argumentSet("trust domain without a path", "spiffe://td/*", "spiffe://td", false),
        argumentSet("the same DNS name", "dns:a.example", "dns:a.example", true),
        argumentSet("DNS name and CN", "dns:a.example", "cn:a.example", false),
        argumentSet("CN and uid", "cn:1000", "uid:1000", false),
        argumentSet("all CNs", "cn:*", "cn:anybody", true),
        argumentSet("all CNs, but no DNS name", "cn:*", "dns:anybody", false),
        argumentSet("equal uid", "uid:1000", "uid:1000", true),
        argumentSet("longer uid", "uid:100", "uid:1000", false),
        argumentSet("inner asterisk as a literal", "dns:*.example", "dns:*.example", true),
        argumentSet("inner asterisk is no wildcard", "dns:*.example", "dns:a.example", false),
        argumentSet("CN in the form of a SPIFFE ID", "spiffe://td/a", "cn:spiffe://td/a", false),
        argumentSet("another partition", USER + "ci", USER.replace("aws", "aws-cn") + "ci", false),
        argumentSet("equal user", USER + "ci", USER + "ci", true),
        argumentSet("longer user", USER + "ci", USER + "ci2", false),
        argumentSet("prefix of users", USER + "ci-*", USER + "ci-1", true),
        argumentSet("path of users", USER + "ci/*", USER + "ci/a/b", true),
        argumentSet("all users of an account", USER + "*", USER + "a", true),
        argumentSet("account that differs in its last digit", USER + "*", OTHER_USER + "a", false),
        argumentSet("CN in the form of an ARN", USER + "ci", "cn:" + USER + "ci", false),
        argumentSet("dot as a literal", "dns:a.example", "dns:aXexample", false));
  }

  @ParameterizedTest
  @MethodSource("principals")
  void patternMatchesPrincipals(String pattern, String principal, boolean fits) {
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
  void malformedPrincipalPatternIsRefused(String pattern) {
    assertThatIllegalArgumentException().isThrownBy(() -> PrincipalPattern.parse(pattern));
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "spiffe://", "dns:", "cn:", "uid:", "billing", "Uid:0", "*", "arn:x"})
  void principalWithoutKindOrNameIsRefused(String name) {
    assertThatIllegalArgumentException().isThrownBy(() -> new Principal(name));
  }

  @Test
  void principalLongerThanTheLimitIsRefused() {
    String longest = "cn:" + "x".repeat(Principal.MAX_LENGTH - 3);
    assertThat(new Principal(longest).name()).isEqualTo(longest);
    assertThatIllegalArgumentException().isThrownBy(() -> new Principal(longest + "x"));
  }

  @Test
  void uidIsUnsigned() {
    assertThat(Principal.uid(-2).name()).isEqualTo("uid:4294967294");
  }

  static Stream<Arguments> keys() {
    Key bare = key();
    Key named = key("alias/orders", "alias/eu/orders");
    return Stream.of(
        argumentSet("all, without alias", "*", bare, true),
        argumentSet("all, with aliases", "*", named, true),
        argumentSet("its id", ID.value(), named, true),
        argumentSet("another id", OTHER_ID.value(), named, false),
        argumentSet("one of the key's aliases", "alias/eu/orders", named, true),
        argumentSet("prefix of an alias", "alias/order", named, false),
        argumentSet("longer alias", "alias/orders2", named, false),
        argumentSet("key without an alias", "alias/orders", bare, false),
        argumentSet("alias prefix", "alias/eu/*", named, true),
        argumentSet("alias prefix within a name", "alias/ord*", named, true),
        argumentSet("other alias prefix", "alias/us/*", named, false),
        argumentSet("any alias", "alias/*", named, true),
        argumentSet("any alias, without alias", "alias/*", bare, false),
        argumentSet("different case", "alias/Orders", named, false));
  }

  @ParameterizedTest
  @MethodSource("keys")
  void patternMatchesKeys(String pattern, Key key, boolean fits) {
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
  void malformedKeyPatternIsRefused(String pattern) {
    assertThatIllegalArgumentException().isThrownBy(() -> KeyPattern.parse(pattern));
  }

  private static Rule rule(String principal, Set<Action> actions, String key) {
    return new Rule(
        List.of(PrincipalPattern.parse(principal)), actions, List.of(KeyPattern.parse(key)));
  }

  @ParameterizedTest
  @EnumSource
  void actionWithoutAKeyRequiresAllKeys(Action action) {
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
  void ruleAllowsOnlyItsPrincipalsActionsAndKeys() {
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
  void rulesAreIndependent() {
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

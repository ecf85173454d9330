package dev.hmacd.access;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.junit.jupiter.params.provider.Arguments.argumentSet;

import dev.hmacd.access.Rule.KeyPattern;
import dev.hmacd.key.Alias;
import dev.hmacd.key.Key;
import dev.hmacd.key.KeyId;
import dev.hmacd.key.KeyObject;
import dev.hmacd.key.KeyOrigin;
import dev.hmacd.key.KeySpec;
import dev.hmacd.key.KeyState;
import dev.hmacd.key.KeyVersion;
import dev.hmacd.key.Placement;
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
        null,
        new KeyVersion(1, new Placement(KeyObject.of(ID, 1), List.of("serial")), null, null),
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
        argumentSet("one segment", "spiffe://td/b/*", "spiffe://td/b/c", true),
        argumentSet("several segments", "spiffe://td/b/*", "spiffe://td/b/c/d", true),
        argumentSet("path before the wildcard", "spiffe://td/b/*", "spiffe://td/b", false),
        argumentSet(
            "longer segment before the wildcard", "spiffe://td/b/*", "spiffe://td/bi/c", false),
        argumentSet("whole trust domain", "spiffe://td/*", "spiffe://td/any/thing", true),
        argumentSet("longer trust domain", "spiffe://td/*", "spiffe://td.evil/x", false),
        argumentSet("the same DNS name", "dns:a.example", "dns:a.example", true),
        argumentSet("DNS name and CN", "dns:a.example", "cn:a.example", false),
        argumentSet("CN and uid", "cn:1000", "uid:1000", false),
        argumentSet("first label", "dns:*.a.example", "dns:b.a.example", true),
        argumentSet("two labels", "dns:*.a.example", "dns:c.b.a.example", false),
        argumentSet("no label", "dns:*.a.example", "dns:a.example", false),
        argumentSet("end of a label", "dns:*.a.example", "dns:ba.example", false),
        argumentSet("longer domain", "dns:*.a.example", "dns:b.a.example.org", false),
        argumentSet("first label of a CN", "dns:*.a.example", "cn:b.a.example", false),
        argumentSet("equal uid", "uid:1000", "uid:1000", true),
        argumentSet("longer uid", "uid:100", "uid:1000", false),
        argumentSet("another partition", USER + "ci", USER.replace("aws", "aws-cn") + "ci", false),
        argumentSet("equal user", USER + "ci", USER + "ci", true),
        argumentSet("longer user", USER + "ci", USER + "ci2", false),
        argumentSet("prefix of users", USER + "ci-*", USER + "ci-1", true),
        argumentSet("path of users", USER + "ci/*", USER + "ci/a/b", true),
        argumentSet("all users of an account", USER + "*", USER + "a", true),
        argumentSet("account that differs in its last digit", USER + "*", OTHER_USER + "a", false),
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
        "spiffe://*/a",
        "spiffe://td",
        "spiffe://td/",
        "spiffe://td*",
        "spiffe://*.td/a",
        "spiffe://td/a*",
        "spiffe://td/*/a",
        "spiffe://td/**",
        "spiffe://td/a/*/*",
        "spiffe://td//*",
        "spiffe://td/../*",
        "spiffe:*",
        "dns:",
        "dns:*",
        "dns:*.",
        "dns:*.x",
        "dns:*x.example.org",
        "dns:a.*.example.org",
        "dns:*.*.example.org",
        "dns:billing*",
        "dns:example.*",
        "dns:*.example.org.",
        "cn:",
        "cn:*",
        "cn:billing*",
        "cn:*.example.org",
        "uid:",
        "uid:*",
        "uid:1*",
        "uid:abc",
        "uid:-1",
        "uid:01",
        "uid:0x0",
        "uid:4294967295",
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
    assertThatIllegalArgumentException()
        .isThrownBy(() -> PrincipalPattern.parse(pattern))
        .withMessageStartingWith("\"" + pattern + "\" is not valid: ");
  }

  /// An operator sees what to write.
  @ParameterizedTest
  @EnumSource
  void refusalHasAnExampleOfTheKind(PrincipalKind kind) {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> PrincipalPattern.parse(kind.prefix + "*"))
        .withMessageContaining(": " + kind.rule());
    assertThat(kind.rule()).contains(kind.prefix);
  }

  static Stream<Arguments> names() {
    String label = "x".repeat(63);
    String host = label + "." + label + "." + label + "." + "x".repeat(61);
    String domain = "spiffe://" + "d".repeat(255);
    return Stream.of(
        argumentSet("SPIFFE ID", "spiffe://td/a", true),
        argumentSet("each character", "spiffe://a-z0_9.td/AZaz09._-", true),
        argumentSet("dots in a segment", "spiffe://td/.../.a/a.", true),
        argumentSet("longest trust domain", domain + "/a", true),
        argumentSet("too long trust domain", domain + "d/a", false),
        argumentSet("longest SPIFFE ID", "spiffe://td/" + "x".repeat(2036), true),
        argumentSet("many segments", "spiffe://td" + "/a".repeat(1018), true),
        argumentSet("too long SPIFFE ID", "spiffe://td/" + "x".repeat(2037), false),
        argumentSet("no path", "spiffe://td", false),
        argumentSet("empty path", "spiffe://td/", false),
        argumentSet("trailing slash", "spiffe://td/a/", false),
        argumentSet("empty segment", "spiffe://td//a", false),
        argumentSet("dot segment", "spiffe://td/./a", false),
        argumentSet("parent segment", "spiffe://td/operators/../x", false),
        argumentSet("last parent segment", "spiffe://td/operators/..", false),
        argumentSet("no trust domain", "spiffe:///a", false),
        argumentSet("uppercase trust domain", "spiffe://TD/a", false),
        argumentSet("uppercase scheme", "SPIFFE://td/a", false),
        argumentSet("port", "spiffe://td:443/a", false),
        argumentSet("user info", "spiffe://user@td/a", false),
        argumentSet("query", "spiffe://td/a?b", false),
        argumentSet("fragment", "spiffe://td/a#b", false),
        argumentSet("percent-encoding", "spiffe://td/%61", false),
        argumentSet("non-ASCII path", "spiffe://td/ä", false),
        argumentSet("wildcard in a SPIFFE ID", "spiffe://td/*", false),
        argumentSet("line break in a SPIFFE ID", "spiffe://td/a\n", false),
        argumentSet("DNS name", "dns:billing.example.org", true),
        argumentSet("one label", "dns:localhost", true),
        argumentSet("underscore", "dns:_billing.example.org", true),
        argumentSet("longest DNS name", "dns:" + host, true),
        argumentSet("too long DNS name", "dns:" + host + "x", false),
        argumentSet("too long label", "dns:x" + label, false),
        argumentSet("empty label", "dns:a..b", false),
        argumentSet("leading dot", "dns:.a", false),
        argumentSet("trailing dot", "dns:a.", false),
        argumentSet("leading dash", "dns:-a", false),
        argumentSet("wildcard in a DNS name", "dns:*.example.org", false),
        argumentSet("NUL", "dns:a\0b", false),
        argumentSet("line feed", "dns:a\nb", false),
        argumentSet("trailing line feed", "dns:a\n", false),
        argumentSet("blank", "dns:a b", false),
        argumentSet("CN", "cn:billing", true),
        argumentSet("CN with a blank", "cn:billing service", false),
        argumentSet("CN in the form of a SPIFFE ID", "cn:spiffe://td/a", false),
        argumentSet("CN in the form of a uid", "cn:uid:0", false),
        argumentSet("CN in the form of an ARN", "cn:" + USER + "ci", false),
        argumentSet("non-ASCII CN", "cn:Schlüssel", false),
        argumentSet("too long CN", "cn:" + host + "x", false),
        argumentSet("root", "uid:0", true),
        argumentSet("largest uid", "uid:4294967294", true),
        argumentSet("(uid_t) -1", "uid:4294967295", false),
        argumentSet("leading zero", "uid:00", false),
        argumentSet("non-ASCII digit", "uid:\u0661", false),
        argumentSet("user of an access key", USER + "ci", true));
  }

  @ParameterizedTest
  @MethodSource("names")
  void nameMatchesTheGrammarOfItsKind(String name, boolean valid) {
    if (valid) {
      assertThat(new Principal(name).name()).isEqualTo(name);
      assertThat(PrincipalPattern.parse(name)).isEqualTo(new PrincipalPattern.Exact(name));
    } else {
      assertThatIllegalArgumentException().isThrownBy(() -> new Principal(name));
    }
  }

  @Test
  void eachKindHasAName() {
    for (PrincipalKind kind : PrincipalKind.values()) {
      assertThat(names().anyMatch(row -> String.valueOf(row.get()[0]).startsWith(kind.prefix)))
          .as("%s", kind)
          .isTrue();
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "spiffe://", "dns:", "cn:", "uid:", "billing", "Uid:0", "*", "arn:x"})
  void principalWithoutKindOrNameIsRefused(String name) {
    assertThatIllegalArgumentException().isThrownBy(() -> new Principal(name));
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

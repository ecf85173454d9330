package dev.hmacd.awskms;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.params.provider.Arguments.argumentSet;

import dev.hmacd.access.Action;
import dev.hmacd.testing.AwsCaller;
import dev.hmacd.testing.JsonTree;
import dev.hmacd.testing.LoopbackDaemon;
import dev.hmacd.testing.RawHttp1;
import dev.hmacd.testing.SoftHsm;
import java.io.IOException;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/// Each operation on one key requires permission for its own action, and for no other.
final class AwsPermissionTest {
  private static final String UNKNOWN = "00000000-0000-4000-8000-000000000000";

  /// Required members of an operation in addition to `KeyId`.
  private static final Map<Action, String> MEMBERS =
      Map.of(
          Action.GENERATE_MAC, ",'Message':'aGVsbG8=','MacAlgorithm':'HMAC_SHA_256'",
          Action.VERIFY_MAC, ",'Message':'aGVsbG8=','MacAlgorithm':'HMAC_SHA_256','Mac':'AAAA'",
          Action.UPDATE_KEY_DESCRIPTION, ",'Description':'new'",
          Action.TAG_RESOURCE, ",'Tags':[{'TagKey':'a','TagValue':'b'}]",
          Action.UNTAG_RESOURCE, ",'TagKeys':['a']");

  private static final LoopbackDaemon daemon = daemon();

  @SuppressWarnings("NullAway.Init") // By start().
  private static AwsCaller admin;

  private static String key = "";

  private static List<Action> actions() {
    return Stream.of(Action.values()).filter(Action::isForOneKey).toList();
  }

  /// For each action there is a user with this action only, and a user with all other actions.
  private static LoopbackDaemon daemon() {
    var daemon = LoopbackDaemon.on(SoftHsm.shared()).awsKms().allowingUserAll("admin");
    for (Action action : actions()) {
      List<Action> others = EnumSet.complementOf(EnumSet.of(action)).stream().toList();
      daemon.allowingUser("only-" + action, List.of(action), "alias/permitted");
      daemon.allowingUser(
          "all-but-" + action,
          others.stream().filter(Action::isForOneKey).toList(),
          "alias/permitted");
    }
    return daemon;
  }

  @BeforeAll
  static void start() throws IOException {
    daemon.start();
    admin = new AwsCaller(daemon, "admin");
    key = admin.createKey("HMAC_256");
    RawHttp1.Answer named =
        admin.call(
            "CreateAlias", "{\"AliasName\":\"alias/permitted\",\"TargetKeyId\":\"" + key + "\"}");
    assertThat(named.status()).isEqualTo(200);
  }

  @AfterAll
  static void stop() throws IOException {
    admin.close();
    daemon.close();
  }

  static Stream<Arguments> onOneKey() {
    return actions().stream().map(action -> argumentSet(action.toString(), action));
  }

  private static RawHttp1.Answer call(String user, Action action, String keyId) throws IOException {
    try (var caller = new AwsCaller(daemon, user)) {
      String input = "{'KeyId':'" + keyId + "'" + MEMBERS.getOrDefault(action, "") + "}";
      return caller.call(action.toString(), input.replace('\'', '"'));
    }
  }

  private static String code(RawHttp1.Answer answer) {
    return answer.status() == 200
        ? "OK"
        : Objects.toString(JsonTree.object(answer.body()).get("__type"));
  }

  @ParameterizedTest
  @MethodSource("onOneKey")
  void operationRequiresItsOwnActionOnly(Action action) throws IOException {
    assertThat(code(call("all-but-" + action, action, key))).isEqualTo("AccessDeniedException");
    // Authorized: the key's state and the MAC are checked after the permission.
    assertThat(code(call("only-" + action, action, key)))
        .isIn("OK", "KMSInvalidMacException", "KMSInvalidStateException", "DisabledException");
  }

  @ParameterizedTest
  @MethodSource("onOneKey")
  void callerWithoutPermissionCannotDetectAKey(Action action) throws IOException {
    RawHttp1.Answer there = call("all-but-" + action, action, key);
    RawHttp1.Answer none = call("all-but-" + action, action, UNKNOWN);
    assertThat(none.status()).isEqualTo(there.status());
    assertThat(none.body()).isEqualTo(there.body().replace(key, UNKNOWN));
    // With permission for some keys only, a missing key looks like a key without permission.
    assertThat(code(call("only-" + action, action, UNKNOWN))).isEqualTo("AccessDeniedException");
  }
}

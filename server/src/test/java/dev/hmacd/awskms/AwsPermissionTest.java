package dev.hmacd.awskms;

import static org.assertj.core.api.Assertions.assertThat;

import dev.hmacd.access.Action;
import dev.hmacd.testing.AwsCaller;
import dev.hmacd.testing.EdgeActions;
import dev.hmacd.testing.JsonTree;
import dev.hmacd.testing.LoopbackDaemon;
import dev.hmacd.testing.RawHttp1;
import dev.hmacd.testing.SoftHsm;
import java.io.IOException;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/// Each operation requires permission for its own action, and for no other. A denied caller cannot
/// detect what exists. The principals are the ARNs of users of access keys.
final class AwsPermissionTest {
  private static final String ARN = "arn:aws:kms:eu-central-1:123456789012:";
  private static final String UNKNOWN = "00000000-0000-4000-8000-000000000000";
  private static final String DENIED = "AccessDeniedException";

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

  private static String permitted = "";
  private static String hidden = "";

  /// For each action there is a user with this action only, and a user with all other actions. A
  /// rule that can name a key names the permitted key.
  private static LoopbackDaemon daemon() {
    var daemon = LoopbackDaemon.on(SoftHsm.shared()).awsKms().allowingUserAll("admin");
    for (Action action : Action.values()) {
      allow(daemon, "only-" + action, EnumSet.of(action));
      allow(daemon, "all-but-" + action, EnumSet.complementOf(EnumSet.of(action)));
    }
    return daemon;
  }

  private static void allow(LoopbackDaemon daemon, String user, Set<Action> actions) {
    for (boolean forOneKey : new boolean[] {true, false}) {
      List<Action> some =
          actions.stream().filter(action -> action.isForOneKey() == forOneKey).toList();
      if (!some.isEmpty()) {
        daemon.allowingUser(user, some, forOneKey ? "alias/permitted" : "*");
      }
    }
  }

  @BeforeAll
  static void start() throws IOException {
    daemon.start();
    admin = new AwsCaller(daemon, "admin");
    permitted = admin.createKey("HMAC_256");
    hidden = admin.createKey("HMAC_256");
    createAlias("alias/permitted", permitted);
    createAlias("alias/hidden", hidden);
  }

  private static void createAlias(String alias, String key) throws IOException {
    String input = "{\"AliasName\":\"" + alias + "\",\"TargetKeyId\":\"" + key + "\"}";
    assertThat(admin.call("CreateAlias", input).status()).isEqualTo(200);
  }

  @AfterAll
  static void stop() throws IOException {
    admin.close();
    daemon.close();
  }

  static Set<Action> served() {
    return EdgeActions.overAws();
  }

  private static RawHttp1.Answer call(String user, Action action, String keyId, String alias)
      throws IOException {
    try (var caller = new AwsCaller(daemon, user)) {
      return caller.call(action.toString(), input(action, keyId, alias).replace('\'', '"'));
    }
  }

  private static String input(Action action, String keyId, String alias) {
    return switch (action) {
      case CREATE_KEY -> "{'KeySpec':'HMAC_256','KeyUsage':'GENERATE_VERIFY_MAC'}";
      case LIST_KEYS -> "{}";
      case CREATE_ALIAS, UPDATE_ALIAS ->
          "{'AliasName':'" + alias + "','TargetKeyId':'" + keyId + "'}";
      case DELETE_ALIAS -> "{'AliasName':'" + alias + "'}";
      case GENERATE_RANDOM -> "{'NumberOfBytes':8}";
      default -> "{'KeyId':'" + keyId + "'" + MEMBERS.getOrDefault(action, "") + "}";
    };
  }

  private static String code(RawHttp1.Answer answer) {
    return answer.status() == 200
        ? "OK"
        : Objects.toString(JsonTree.object(answer.body()).get("__type"));
  }

  @ParameterizedTest
  @EnumSource
  void ruleForOneActionAllowsNoOtherAction(Action allowed) throws IOException {
    for (Action action : served()) {
      // An allowed request changes only the permitted key and this alias.
      RawHttp1.Answer answer = call("only-" + allowed, action, permitted, "alias/made");
      if (action == allowed) {
        assertThat(code(answer)).as("%s", action).isNotEqualTo(DENIED);
        assertThat(answer.status()).as("%s", action).isLessThan(500);
      } else {
        assertThat(code(answer)).as("%s", action).isEqualTo(DENIED);
      }
    }
  }

  @ParameterizedTest
  @MethodSource("served")
  void rulesForAllOtherActionsDoNotAllowAnAction(Action action) throws IOException {
    RawHttp1.Answer answer = call("all-but-" + action, action, permitted, "alias/made");
    assertThat(code(answer)).isEqualTo(DENIED);
  }

  /// Users that must not detect the hidden key.
  private static List<String> deniedUsers(Action action) {
    List<String> users = new ArrayList<>(List.of("stranger", "all-but-" + action));
    if (action.isForOneKey()) {
      users.add("only-" + action); // Only for the permitted key.
    }
    return users;
  }

  /// Each form of the name of a key.
  private static List<String> names(String keyId, String alias) {
    return List.of(keyId, ARN + "key/" + keyId, alias, ARN + alias);
  }

  @ParameterizedTest
  @MethodSource("served")
  void deniedCallerCannotDetectWhatExists(Action action) throws IOException {
    List<String> found = names(hidden, "alias/hidden");
    List<String> absent = names(UNKNOWN, "alias/absent");
    for (String user : deniedUsers(action)) {
      for (int i = 0; i < found.size(); i++) {
        RawHttp1.Answer there = call(user, action, found.get(i), "alias/hidden");
        RawHttp1.Answer none = call(user, action, absent.get(i), "alias/absent");
        assertThat(none.status()).isEqualTo(there.status());
        assertThat(none.body())
            .as("%s by %s", found.get(i), user)
            .isEqualTo(
                there.body().replace(hidden, UNKNOWN).replace("alias/hidden", "alias/absent"));
        if (i < 2) { // Each operation accepts the id and the ARN of a key.
          assertThat(code(there)).as("%s by %s", found.get(i), user).isEqualTo(DENIED);
        }
      }
    }
  }
}

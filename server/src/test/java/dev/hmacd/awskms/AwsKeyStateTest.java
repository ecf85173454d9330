package dev.hmacd.awskms;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.params.provider.Arguments.argumentSet;

import dev.hmacd.testing.AwsCaller;
import dev.hmacd.testing.JsonTree;
import dev.hmacd.testing.KmsItem;
import dev.hmacd.testing.LoopbackDaemon;
import dev.hmacd.testing.RawHttp1;
import dev.hmacd.testing.SoftHsm;
import dev.hmacd.testing.StateWalk;
import dev.hmacd.testing.StateWalk.State;
import dev.hmacd.token.FaultyToken;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Map;
import java.util.UUID;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/// Each operation of AWS KMS in each state of the key state table.
final class AwsKeyStateTest {
  private static final SoftHsm hsm = SoftHsm.shared();
  private static final FaultyToken token = new FaultyToken(hsm.token());
  private static final LoopbackDaemon daemon =
      LoopbackDaemon.on(hsm)
          .allowingAll("admin")
          .allowingUserAll("admin")
          .awsKms()
          .wrapping(_ -> token);

  /// The input of each operation. `KEY` and `ALIAS` stand for the key's id and alias.
  private static final Map<String, String> INPUTS =
      Map.ofEntries(
          Map.entry(
              "GenerateMac", "{'KeyId':'KEY','Message':'aGVsbG8=','MacAlgorithm':'HMAC_SHA_256'}"),
          Map.entry(
              "VerifyMac",
              "{'KeyId':'KEY','Message':'aGVsbG8=','MacAlgorithm':'HMAC_SHA_256','Mac':'AAAA'}"),
          Map.entry("EnableKey", "{'KeyId':'KEY'}"),
          Map.entry("DisableKey", "{'KeyId':'KEY'}"),
          Map.entry("ScheduleKeyDeletion", "{'KeyId':'KEY','PendingWindowInDays':7}"),
          Map.entry("CancelKeyDeletion", "{'KeyId':'KEY'}"),
          Map.entry("UpdateKeyDescription", "{'KeyId':'KEY','Description':'new'}"),
          Map.entry("TagResource", "{'KeyId':'KEY','Tags':[{'TagKey':'a','TagValue':'b'}]}"),
          Map.entry("UntagResource", "{'KeyId':'KEY','TagKeys':['a']}"),
          Map.entry("ListResourceTags", "{'KeyId':'KEY'}"),
          Map.entry("DescribeKey", "{'KeyId':'KEY'}"),
          Map.entry("GetKeyRotationStatus", "{'KeyId':'KEY'}"),
          Map.entry("GetKeyPolicy", "{'KeyId':'KEY'}"),
          Map.entry("ListKeyPolicies", "{'KeyId':'KEY'}"),
          Map.entry("CreateAlias", "{'AliasName':'FRESH','TargetKeyId':'KEY'}"),
          Map.entry("UpdateAlias", "{'AliasName':'OTHER','TargetKeyId':'KEY'}"),
          Map.entry("DeleteAlias", "{'AliasName':'ALIAS'}"),
          Map.entry("ListAliases", "{'KeyId':'KEY'}"));

  @SuppressWarnings("NullAway.Init") // By start().
  private static AwsCaller caller;

  @SuppressWarnings("NullAway.Init") // By start().
  private static StateWalk states;

  @BeforeAll
  static void start() throws IOException {
    daemon.start();
    caller = new AwsCaller(daemon, "admin");
    states = new StateWalk(hsm, token, daemon.as("admin"));
  }

  @AfterAll
  static void stop() throws IOException {
    caller.close();
    daemon.close();
  }

  @Test
  void everyOperationOfTheTableHasAnInput() {
    assertThat(INPUTS.keySet()).isEqualTo(StateWalk.operationsOfAws());
  }

  static Stream<Arguments> table() {
    return INPUTS.keySet().stream()
        .sorted()
        .flatMap(
            operation ->
                Stream.of(State.values())
                    .map(
                        state ->
                            argumentSet(
                                operation + " of a key in state " + state, operation, state)));
  }

  @ParameterizedTest
  @MethodSource("table")
  @KmsItem({
    "STATE-1", "STATE-2", "STATE-3", "STATE-4", "STATE-5", "STATE-6", "SHAPE-7", "WIRE-9", "WIRE-10"
  })
  void operationIsAllowedOrRefusedAsInTheTable(String operation, State state) {
    states.put(
        state,
        (key, alias) -> {
          RawHttp1.Answer answer = call(operation, key, alias);
          if (operation.equals("DeleteAlias") && state == State.CREATING) {
            // A key in state CREATING has no alias.
            assertError(answer, 400, "NotFoundException", "");
          } else if (operation.equals("VerifyMac") && state == State.ENABLED) {
            // The operation is allowed, and the MAC does not match.
            assertError(answer, 400, "KMSInvalidMacException", "");
          } else if (StateWalk.isAllowed(operation, state)) {
            assertThat(answer.status()).as(answer.body()).isEqualTo(200);
            if (operation.equals("DescribeKey")) {
              assertThat(answer.body()).contains("\"KeyState\":\"" + awsName(state) + "\"");
            }
          } else {
            assertRefused(answer, operation, state, key);
          }
        });
  }

  private static String awsName(State state) {
    return switch (state) {
      case CREATING -> "Creating";
      case ENABLED -> "Enabled";
      case DISABLED -> "Disabled";
      case PENDING_DELETION -> "PendingDeletion";
      case UNAVAILABLE -> "Unavailable";
    };
  }

  private static void assertRefused(
      RawHttp1.Answer answer, String operation, State state, String key) {
    String arn = "arn:aws:kms:eu-central-1:123456789012:key/" + key;
    if (operation.equals("CancelKeyDeletion")) {
      assertError(answer, 400, "KMSInvalidStateException", arn + " is not pending deletion.");
      return;
    }
    switch (state) {
      case CREATING -> assertError(answer, 400, "KMSInvalidStateException", arn + " is creating.");
      case DISABLED -> assertError(answer, 400, "DisabledException", arn + " is disabled.");
      case PENDING_DELETION ->
          assertError(answer, 400, "KMSInvalidStateException", arn + " is pending deletion.");
      case UNAVAILABLE -> assertError(answer, 500, "KeyUnavailableException", "");
      case ENABLED -> throw new AssertionError(operation + " of an enabled key: " + answer.body());
    }
  }

  /// @param message expected message, or an empty string for any message
  private static void assertError(RawHttp1.Answer answer, int status, String code, String message) {
    assertThat(answer.status()).as(answer.body()).isEqualTo(status);
    Map<String, ?> error = JsonTree.object(answer.body());
    assertThat(error.get("__type")).isEqualTo(code);
    if (!message.isEmpty()) {
      assertThat(error.get("message")).isEqualTo(message);
    }
  }

  private static RawHttp1.Answer call(String operation, String key, String alias) {
    try {
      String fresh = "alias/aws-state-" + UUID.randomUUID();
      String input = INPUTS.getOrDefault(operation, "");
      if (input.contains("OTHER")) {
        String other = caller.createKey("HMAC_256");
        input = input.replace("OTHER", fresh);
        assertThat(call("CreateAlias", other, fresh, fresh).status()).isEqualTo(200);
      }
      return call(operation, input, key, alias.isEmpty() ? fresh : alias, fresh);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static RawHttp1.Answer call(String operation, String key, String alias, String fresh)
      throws IOException {
    return call(operation, INPUTS.getOrDefault(operation, ""), key, alias, fresh);
  }

  private static RawHttp1.Answer call(
      String operation, String input, String key, String alias, String fresh) throws IOException {
    return caller.call(
        operation,
        input
            .replace("KEY", key)
            .replace("ALIAS", alias)
            .replace("FRESH", fresh)
            .replace('\'', '"'));
  }
}

package dev.hmacd.rpc;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.protobuf.ByteString;
import com.google.rpc.ErrorInfo;
import dev.hmacd.access.Action;
import dev.hmacd.access.PrincipalKind;
import dev.hmacd.config.ConfigException;
import dev.hmacd.config.ConfigFile;
import dev.hmacd.testing.Caller;
import dev.hmacd.testing.EdgeActions;
import dev.hmacd.testing.LoopbackDaemon;
import dev.hmacd.testing.Reasons;
import dev.hmacd.v1.AdoptKeyRequest;
import dev.hmacd.v1.CancelKeyDeletionRequest;
import dev.hmacd.v1.CreateAccessKeyRequest;
import dev.hmacd.v1.CreateAliasRequest;
import dev.hmacd.v1.CreateKeyRequest;
import dev.hmacd.v1.DeleteAccessKeyRequest;
import dev.hmacd.v1.DeleteAliasRequest;
import dev.hmacd.v1.DescribeKeyRequest;
import dev.hmacd.v1.DisableAccessKeyRequest;
import dev.hmacd.v1.DisableKeyRequest;
import dev.hmacd.v1.EnableKeyRequest;
import dev.hmacd.v1.GenerateRandomRequest;
import dev.hmacd.v1.KeySpec;
import dev.hmacd.v1.ListAccessKeysRequest;
import dev.hmacd.v1.ListAliasesRequest;
import dev.hmacd.v1.ListKeysRequest;
import dev.hmacd.v1.ListResourceTagsRequest;
import dev.hmacd.v1.MacAlgorithm;
import dev.hmacd.v1.ScheduleKeyDeletionRequest;
import dev.hmacd.v1.Tag;
import dev.hmacd.v1.TagResourceRequest;
import dev.hmacd.v1.UntagResourceRequest;
import dev.hmacd.v1.UpdateAliasRequest;
import dev.hmacd.v1.UpdateKeyDescriptionRequest;
import dev.hmacd.v1.VerifyMacRequest;
import io.grpc.Status.Code;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.function.BiConsumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/// Each action over gRPC requires permission for this action, and for no other. A denied caller
/// cannot detect what exists. For each kind of principal that gRPC authenticates.
final class ActionPermissionTest {
  private static final String ARN = "arn:aws:kms:eu-central-1:123456789012:";
  private static final String UNKNOWN = "00000000-0000-0000-0000-000000000000";
  private static final String PERMITTED = "alias/permitted";
  private static final Pattern DETAILS = Pattern.compile("details-bin=([A-Za-z0-9+/=]+)");
  private static final String REQUEST_ID = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}";

  private static final Map<Action, BiConsumer<Caller, Target>> CALLS = calls();

  private static final LoopbackDaemon daemon = LoopbackDaemon.withAdmin();

  /// One caller of each kind, without a rule of its own.
  private static final Map<PrincipalKind, Caller> callers = new EnumMap<>(PrincipalKind.class);

  private static String permitted = "";
  private static Target existing = new Target("", "", "", "");

  private static final Target MISSING =
      new Target(UNKNOWN, "alias/none", "HMAKAAAAAAAAAAAAAAAA", label(UNKNOWN));

  /// What a request names.
  ///
  /// @param key a form of the name of a key
  /// @param alias the alias that a request changes
  /// @param label the label of an object on the token
  private record Target(String key, String alias, String accessKey, String label) {
    Target withKey(String name) {
      return new Target(name, alias, accessKey, label);
    }

    /// The target with each form of the name of its key.
    List<Target> inEachForm() {
      return List.of(this, withKey(ARN + "key/" + key), withKey(alias), withKey(ARN + alias));
    }
  }

  private static String label(String keyId) {
    return "hmacd/key/" + keyId + "/1";
  }

  @BeforeAll
  static void start() throws IOException {
    Caller admin = daemon.start().as("admin");
    permitted = admin.createKey(KeySpec.KEY_SPEC_HMAC_256);
    admin.createAlias(PERMITTED, permitted);
    String hidden = admin.createKey(KeySpec.KEY_SPEC_HMAC_256);
    admin.createAlias("alias/hidden", hidden);
    String accessKey =
        admin
            .accessKeys()
            .createAccessKey(
                CreateAccessKeyRequest.newBuilder()
                    .setPrincipal(LoopbackDaemon.arn("hidden"))
                    .build())
            .getAccessKey()
            .getAccessKeyId();
    existing = new Target(hidden, "alias/hidden", accessKey, label(hidden));
    callers.put(PrincipalKind.SPIFFE, daemon.as("subject"));
    callers.put(
        PrincipalKind.DNS,
        daemon.as(
            daemon.ca().issue(b -> b.subject("O=test").addSanDnsName("subject.example.org"))));
    callers.put(
        PrincipalKind.COMMON_NAME, daemon.as(daemon.ca().issue(b -> b.subject("CN=subject"))));
    callers.put(PrincipalKind.UID, daemon.onSocket());
  }

  @AfterAll
  static void stop() {
    daemon.close();
  }

  private static List<String> subjects() throws IOException {
    Object uid = Files.getAttribute(Path.of("/proc/self"), "unix:uid");
    return List.of("spiffe://test/subject", "dns:subject.example.org", "cn:subject", "uid:" + uid);
  }

  /// Allows the callers these actions, and no others: on the permitted key, or on all keys if a
  /// rule cannot name a key.
  private static void allow(Set<Action> actions) throws IOException, ConfigException {
    daemon.withoutRules().allowingAll("admin");
    for (String subject : subjects()) {
      for (Action action : actions) {
        daemon.rule(subject, "[" + action + "]", action.isForOneKey() ? PERMITTED : "*");
      }
    }
    daemon.writeConfig();
    daemon.daemon().reload(ConfigFile.read(daemon.config()));
  }

  private static Map<Action, BiConsumer<Caller, Target>> calls() {
    ByteString message = ByteString.copyFromUtf8("hello");
    Map<Action, BiConsumer<Caller, Target>> calls = new EnumMap<>(Action.class);
    calls.put(Action.GENERATE_MAC, (caller, target) -> caller.generateMac(target.key(), "hello"));
    calls.put(
        Action.VERIFY_MAC,
        (caller, target) ->
            caller
                .macs()
                .verifyMac(
                    VerifyMacRequest.newBuilder()
                        .setKeyId(target.key())
                        .setMessage(message)
                        .setMac(message)
                        .setMacAlgorithm(MacAlgorithm.MAC_ALGORITHM_HMAC_SHA_256)
                        .build()));
    calls.put(
        Action.DESCRIBE_KEY,
        (caller, target) ->
            caller
                .keys()
                .describeKey(DescribeKeyRequest.newBuilder().setKeyId(target.key()).build()));
    calls.put(
        Action.LIST_KEYS,
        (caller, _) -> caller.keys().listKeys(ListKeysRequest.getDefaultInstance()));
    calls.put(
        Action.CREATE_KEY,
        (caller, _) ->
            caller
                .keys()
                .createKey(
                    CreateKeyRequest.newBuilder().setKeySpec(KeySpec.KEY_SPEC_HMAC_256).build()));
    calls.put(
        Action.ADOPT_KEY,
        (caller, target) ->
            caller
                .keys()
                .adoptKey(
                    AdoptKeyRequest.newBuilder()
                        .setObjectLabel(target.label())
                        .setKeySpec(KeySpec.KEY_SPEC_HMAC_256)
                        .build()));
    calls.put(
        Action.CREATE_ALIAS,
        (caller, target) ->
            caller
                .keys()
                .createAlias(
                    CreateAliasRequest.newBuilder()
                        .setAliasName(target.alias())
                        .setTargetKeyId(target.key())
                        .build()));
    calls.put(
        Action.UPDATE_ALIAS,
        (caller, target) ->
            caller
                .keys()
                .updateAlias(
                    UpdateAliasRequest.newBuilder()
                        .setAliasName(target.alias())
                        .setTargetKeyId(target.key())
                        .build()));
    calls.put(
        Action.DELETE_ALIAS,
        (caller, target) ->
            caller
                .keys()
                .deleteAlias(DeleteAliasRequest.newBuilder().setAliasName(target.alias()).build()));
    calls.put(
        Action.LIST_ALIASES,
        (caller, target) ->
            caller
                .keys()
                .listAliases(ListAliasesRequest.newBuilder().setKeyId(target.key()).build()));
    calls.put(
        Action.ENABLE_KEY,
        (caller, target) ->
            caller.keys().enableKey(EnableKeyRequest.newBuilder().setKeyId(target.key()).build()));
    calls.put(
        Action.DISABLE_KEY,
        (caller, target) ->
            caller
                .keys()
                .disableKey(DisableKeyRequest.newBuilder().setKeyId(target.key()).build()));
    calls.put(
        Action.SCHEDULE_KEY_DELETION,
        (caller, target) ->
            caller
                .keys()
                .scheduleKeyDeletion(
                    ScheduleKeyDeletionRequest.newBuilder()
                        .setKeyId(target.key())
                        .setPendingWindowInDays(7)
                        .build()));
    calls.put(
        Action.CANCEL_KEY_DELETION,
        (caller, target) ->
            caller
                .keys()
                .cancelKeyDeletion(
                    CancelKeyDeletionRequest.newBuilder().setKeyId(target.key()).build()));
    calls.put(
        Action.UPDATE_KEY_DESCRIPTION,
        (caller, target) ->
            caller
                .keys()
                .updateKeyDescription(
                    UpdateKeyDescriptionRequest.newBuilder()
                        .setKeyId(target.key())
                        .setDescription("new")
                        .build()));
    calls.put(
        Action.TAG_RESOURCE,
        (caller, target) ->
            caller
                .keys()
                .tagResource(
                    TagResourceRequest.newBuilder()
                        .setKeyId(target.key())
                        .addTags(Tag.newBuilder().setTagKey("a").setTagValue("b"))
                        .build()));
    calls.put(
        Action.UNTAG_RESOURCE,
        (caller, target) ->
            caller
                .keys()
                .untagResource(
                    UntagResourceRequest.newBuilder()
                        .setKeyId(target.key())
                        .addTagKeys("a")
                        .build()));
    calls.put(
        Action.LIST_RESOURCE_TAGS,
        (caller, target) ->
            caller
                .keys()
                .listResourceTags(
                    ListResourceTagsRequest.newBuilder().setKeyId(target.key()).build()));
    calls.put(
        Action.GENERATE_RANDOM,
        (caller, _) ->
            caller
                .random()
                .generateRandom(GenerateRandomRequest.newBuilder().setNumberOfBytes(1).build()));
    calls.put(
        Action.CREATE_ACCESS_KEY,
        (caller, _) ->
            caller
                .accessKeys()
                .createAccessKey(
                    CreateAccessKeyRequest.newBuilder()
                        .setPrincipal(LoopbackDaemon.arn("made"))
                        .build()));
    calls.put(
        Action.LIST_ACCESS_KEYS,
        (caller, _) ->
            caller.accessKeys().listAccessKeys(ListAccessKeysRequest.getDefaultInstance()));
    calls.put(
        Action.DISABLE_ACCESS_KEY,
        (caller, target) ->
            caller
                .accessKeys()
                .disableAccessKey(
                    DisableAccessKeyRequest.newBuilder()
                        .setAccessKeyId(target.accessKey())
                        .build()));
    calls.put(
        Action.DELETE_ACCESS_KEY,
        (caller, target) ->
            caller
                .accessKeys()
                .deleteAccessKey(
                    DeleteAccessKeyRequest.newBuilder()
                        .setAccessKeyId(target.accessKey())
                        .build()));
    return calls;
  }

  static Set<Action> served() {
    return CALLS.keySet();
  }

  @Test
  void everyActionAndEveryKindOfCertificateAndSocketIsTested() {
    assertThat(served()).isEqualTo(EdgeActions.overGrpc());
    assertThat(EnumSet.allOf(Action.class))
        .allMatch(
            action ->
                EdgeActions.overGrpc().contains(action) || EdgeActions.overAws().contains(action));
    // Access keys, whose principals are ARNs, are for the AWS KMS edge.
    assertThat(callers.keySet()).isEqualTo(EnumSet.complementOf(EnumSet.of(PrincipalKind.ARN)));
  }

  /// The reason of the answer; OK for success.
  private static ErrorInfo answer(Caller caller, BiConsumer<Caller, Target> call, Target target) {
    try {
      call.accept(caller, target);
      return ErrorInfo.newBuilder().setReason("OK").build();
    } catch (StatusRuntimeException e) {
      return Reasons.info(e);
    }
  }

  @ParameterizedTest
  @EnumSource
  void ruleForOneActionAllowsNoOtherAction(Action allowed) throws Exception {
    allow(Set.of(allowed));
    // A request that its rule allows changes only the permitted key and this alias.
    var target = new Target(permitted, "alias/made", MISSING.accessKey(), MISSING.label());
    callers.forEach(
        (kind, caller) ->
            CALLS.forEach(
                (action, call) -> {
                  ErrorInfo answer = answer(caller, call, target);
                  var asserted = assertThat(answer.getReason()).as("%s of %s", action, kind);
                  if (action == allowed) {
                    asserted.isNotEqualTo("ACCESS_DENIED").isNotEqualTo("INTERNAL");
                  } else {
                    asserted.isEqualTo("ACCESS_DENIED");
                    assertThat(answer.getMetadataMap()).containsEntry("action", action.toString());
                  }
                }));
  }

  /// The rules of callers that must not detect the hidden key: no rule, all other actions, and the
  /// action on another key.
  private static List<Set<Action>> permissions(Action action) {
    List<Set<Action>> sets = new ArrayList<>();
    sets.add(Set.of());
    sets.add(EnumSet.complementOf(EnumSet.of(action)));
    if (action.isForOneKey()) {
      sets.add(Set.of(action));
    }
    return sets;
  }

  @ParameterizedTest
  @MethodSource("served")
  void deniedCallerCannotDetectWhatExists(Action action) throws Exception {
    BiConsumer<Caller, Target> call = Objects.requireNonNull(CALLS.get(action));
    for (Set<Action> allowed : permissions(action)) {
      allow(allowed);
      for (var each : callers.entrySet()) {
        List<Target> found = existing.inEachForm();
        List<Target> absent = MISSING.inEachForm();
        for (int i = 0; i < found.size(); i++) {
          String answer = ending(each.getValue(), call, found.get(i));
          assertThat(ending(each.getValue(), call, absent.get(i)))
              .as("%s for %s, allowed %s", absent.get(i), each.getKey(), allowed)
              .isEqualTo(answer);
          if (i < 2) { // Each action accepts the id and the ARN of a key.
            assertThat(answer).contains(Code.PERMISSION_DENIED.name(), "ACCESS_DENIED");
          }
        }
      }
    }
  }

  /// The complete answer to a refused request, without its request id, which differs in each call.
  private static String ending(Caller caller, BiConsumer<Caller, Target> call, Target target) {
    List<String> endings = new ArrayList<>();
    assertThatThrownBy(() -> call.accept(caller.recording(endings), target))
        .isInstanceOf(StatusRuntimeException.class);
    assertThat(endings).singleElement().asString().contains("grpc-status-details-bin");
    String ending = endings.getFirst();
    Matcher details = DETAILS.matcher(ending);
    assertThat(details.find()).isTrue();
    String decoded = new String(Base64.getDecoder().decode(details.group(1)), ISO_8859_1);
    String all = ending.replace(details.group(1), decoded);
    assertThat(all).containsPattern(REQUEST_ID);
    return all.replaceAll(REQUEST_ID, "");
  }
}

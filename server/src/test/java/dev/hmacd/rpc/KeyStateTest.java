package dev.hmacd.rpc;

import static dev.hmacd.testing.Reasons.failsWith;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.params.provider.Arguments.argumentSet;

import dev.hmacd.testing.Caller;
import dev.hmacd.testing.LoopbackDaemon;
import dev.hmacd.testing.SoftHsm;
import dev.hmacd.testing.StateWalk;
import dev.hmacd.testing.StateWalk.State;
import dev.hmacd.token.FaultyToken;
import dev.hmacd.token.FaultyToken.Call;
import dev.hmacd.v1.CancelKeyDeletionRequest;
import dev.hmacd.v1.CreateKeyRequest;
import dev.hmacd.v1.DeleteAliasRequest;
import dev.hmacd.v1.DisableKeyRequest;
import dev.hmacd.v1.EnableKeyRequest;
import dev.hmacd.v1.KeyMetadata;
import dev.hmacd.v1.KeySpec;
import dev.hmacd.v1.KeyState;
import dev.hmacd.v1.ListAliasesRequest;
import dev.hmacd.v1.ListResourceTagsRequest;
import dev.hmacd.v1.MacAlgorithm;
import dev.hmacd.v1.ScheduleKeyDeletionRequest;
import dev.hmacd.v1.Tag;
import dev.hmacd.v1.TagResourceRequest;
import dev.hmacd.v1.UntagResourceRequest;
import dev.hmacd.v1.UpdateAliasRequest;
import dev.hmacd.v1.UpdateKeyDescriptionRequest;
import io.grpc.Status.Code;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.UUID;
import java.util.function.BiConsumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/// Each operation in each key state of AWS KMS's table ("Key states of AWS KMS keys").
final class KeyStateTest {
  private static final SoftHsm hsm = SoftHsm.shared();
  private static final FaultyToken token = new FaultyToken(hsm.token());
  private static final LoopbackDaemon daemon =
      LoopbackDaemon.on(hsm).allowingAll("admin").wrapping(_ -> token);

  @SuppressWarnings("NullAway.Init") // start() sets it.
  private static Caller admin;

  @SuppressWarnings("NullAway.Init") // start() sets it.
  private static StateWalk states;

  @BeforeAll
  static void start() {
    admin = daemon.start().as("admin");
    states = new StateWalk(hsm, token, admin);
  }

  @AfterAll
  static void stop() {
    daemon.close();
  }

  private static KeyMetadata disable(String key) {
    return admin
        .keys()
        .disableKey(DisableKeyRequest.newBuilder().setKeyId(key).build())
        .getKeyMetadata();
  }

  private static KeyMetadata enable(String key) {
    return admin
        .keys()
        .enableKey(EnableKeyRequest.newBuilder().setKeyId(key).build())
        .getKeyMetadata();
  }

  private static KeyMetadata schedule(String key, int days) {
    return admin
        .keys()
        .scheduleKeyDeletion(
            ScheduleKeyDeletionRequest.newBuilder()
                .setKeyId(key)
                .setPendingWindowInDays(days)
                .build())
        .getKeyMetadata();
  }

  private static KeyMetadata cancel(String key) {
    return admin
        .keys()
        .cancelKeyDeletion(CancelKeyDeletionRequest.newBuilder().setKeyId(key).build())
        .getKeyMetadata();
  }

  private static void tag(String key) {
    var _ =
        admin
            .keys()
            .tagResource(
                TagResourceRequest.newBuilder()
                    .setKeyId(key)
                    .addTags(Tag.newBuilder().setTagKey("team").setTagValue("pay"))
                    .build());
  }

  /// An operation.
  ///
  /// @param call executes the operation with a key and its alias
  record Operation(String name, BiConsumer<String, String> call) {}

  private static List<Operation> operations() {
    byte[] mac = new byte[32];
    byte[] message = "hello".getBytes(StandardCharsets.UTF_8);
    return List.of(
        new Operation("GenerateMac", (key, _) -> admin.generateMac(key, "hello")),
        new Operation(
            "VerifyMac",
            (key, _) ->
                admin.verifyMac(key, message, mac, MacAlgorithm.MAC_ALGORITHM_HMAC_SHA_256)),
        new Operation("EnableKey", (key, _) -> enable(key)),
        new Operation("DisableKey", (key, _) -> disable(key)),
        new Operation("ScheduleKeyDeletion", (key, _) -> schedule(key, 7)),
        new Operation("CancelKeyDeletion", (key, _) -> cancel(key)),
        new Operation("UpdateKeyDescription", (key, _) -> describeAs(key, "new")),
        new Operation("TagResource", (key, _) -> tag(key)),
        new Operation(
            "UntagResource",
            (key, _) ->
                admin
                    .keys()
                    .untagResource(
                        UntagResourceRequest.newBuilder().setKeyId(key).addTagKeys("x").build())),
        new Operation(
            "ListResourceTags",
            (key, _) ->
                admin
                    .keys()
                    .listResourceTags(ListResourceTagsRequest.newBuilder().setKeyId(key).build())),
        new Operation("DescribeKey", (key, _) -> admin.describe(key)),
        new Operation("CreateAlias", (key, _) -> admin.createAlias(freshAlias(), key)),
        new Operation("UpdateAlias", (key, _) -> updateAlias(key)),
        new Operation("DeleteAlias", (_, alias) -> deleteAlias(alias)),
        new Operation(
            "ListAliases",
            (key, _) ->
                admin.keys().listAliases(ListAliasesRequest.newBuilder().setKeyId(key).build())));
  }

  private static String freshAlias() {
    return "alias/fresh-" + UUID.randomUUID();
  }

  private static void describeAs(String key, String description) {
    var _ =
        admin
            .keys()
            .updateKeyDescription(
                UpdateKeyDescriptionRequest.newBuilder()
                    .setKeyId(key)
                    .setDescription(description)
                    .build());
  }

  private static void updateAlias(String key) {
    String alias = freshAlias();
    admin.createAlias(alias, admin.createKey(KeySpec.KEY_SPEC_HMAC_256));
    var _ =
        admin
            .keys()
            .updateAlias(
                UpdateAliasRequest.newBuilder().setAliasName(alias).setTargetKeyId(key).build());
  }

  private static void deleteAlias(String alias) {
    if (!alias.isEmpty()) { // A key in state CREATING has no alias.
      var _ = admin.keys().deleteAlias(DeleteAliasRequest.newBuilder().setAliasName(alias).build());
    }
  }

  @Test
  void everyOperationOfTheTableIsTested() {
    assertThat(operations().stream().map(Operation::name))
        .containsExactlyInAnyOrderElementsOf(StateWalk.operations());
  }

  static Stream<Arguments> table() {
    return operations().stream()
        .flatMap(
            operation ->
                Stream.of(State.values())
                    .map(
                        state ->
                            argumentSet(
                                operation.name() + " of a key in state " + state,
                                operation,
                                state)));
  }

  @ParameterizedTest
  @MethodSource("table")
  void operationIsAllowedOrRefusedAsInTheTable(Operation operation, State state) {
    states.put(
        state,
        (key, alias) -> {
          assertThat(admin.describe(key).getKeyState().name()).isEqualTo("KEY_STATE_" + state);
          if (operation.name().equals("VerifyMac") && state == State.ENABLED) {
            // The operation is allowed, and the MAC does not match.
            assertThatThrownBy(() -> operation.call().accept(key, alias))
                .satisfies(failsWith(Code.INVALID_ARGUMENT, "KMS_INVALID_MAC"));
          } else if (StateWalk.isAllowed(operation.name(), state)) {
            operation.call().accept(key, alias);
          } else if (state == State.UNAVAILABLE && operation.name().endsWith("Mac")) {
            // The daemon searches for the object again: it may be back.
            assertThatThrownBy(() -> operation.call().accept(key, alias))
                .satisfies(failsWith(Code.UNAVAILABLE, "KEY_UNAVAILABLE"));
          } else {
            String reason =
                operation.name().equals("CancelKeyDeletion")
                    ? "KEY_NOT_PENDING_DELETION"
                    : "KEY_NOT_USABLE";
            assertThatThrownBy(() -> operation.call().accept(key, alias))
                .satisfies(
                    failsWith(Code.FAILED_PRECONDITION, reason, "key_state", state.written()));
          }
        });
  }

  @Test
  void changeOfStateIsEffectiveForTheNextRequest() {
    String key = admin.createKey(KeySpec.KEY_SPEC_HMAC_256);
    byte[] mac = admin.generateMac(key, "hello");
    for (int i = 0; i < 20; i++) {
      assertThat(disable(key).getKeyState()).isEqualTo(KeyState.KEY_STATE_DISABLED);
      assertThatThrownBy(() -> admin.generateMac(key, "hello"))
          .satisfies(failsWith(Code.FAILED_PRECONDITION, "KEY_NOT_USABLE"));
      assertThat(enable(key).getKeyState()).isEqualTo(KeyState.KEY_STATE_ENABLED);
      assertThat(admin.generateMac(key, "hello")).isEqualTo(mac);
    }
  }

  @Test
  void disabledKeyIsRefusedWithoutTouchingTheToken() {
    String key = admin.createKey(KeySpec.KEY_SPEC_HMAC_256);
    var _ = disable(key);
    int before = token.count(Call.LOAD);
    assertThatThrownBy(() -> admin.generateMac(key, "hello"))
        .satisfies(failsWith(Code.FAILED_PRECONDITION, "KEY_NOT_USABLE"));
    assertThat(token.count(Call.LOAD)).isEqualTo(before);
  }

  @Test
  void keyIsAvailableAgainAfterItsObjectIsRestored() {
    byte[] secret = new byte[32];
    String label = SoftHsm.freshLabel("back");
    String id = SoftHsm.freshId();
    hsm.importKey(label, id, secret);
    String key = admin.adopt(label, KeySpec.KEY_SPEC_HMAC_256).getKeyId();
    hsm.delete(label);
    assertThatThrownBy(() -> admin.generateMac(key, "hello"))
        .satisfies(failsWith(Code.UNAVAILABLE, "KEY_UNAVAILABLE"));
    assertThat(admin.describe(key).getKeyState()).isEqualTo(KeyState.KEY_STATE_UNAVAILABLE);
    hsm.importKey(label, id, secret);
    assertThat(admin.generateMac(key, "hello")).hasSize(32);
    assertThat(admin.describe(key).getKeyState()).isEqualTo(KeyState.KEY_STATE_ENABLED);
  }

  @Test
  void stateAndDescriptionArePersistent() {
    String disabled = admin.createKey(KeySpec.KEY_SPEC_HMAC_256);
    String doomed = admin.createKey(KeySpec.KEY_SPEC_HMAC_256);
    describeAs(disabled, "for orders");
    var _ = disable(disabled);
    KeyMetadata scheduled = schedule(doomed, 30);
    try {
      admin = daemon.restart().as("admin");
      states = new StateWalk(hsm, token, admin);
      KeyMetadata after = admin.describe(disabled);
      assertThat(after.getKeyState()).isEqualTo(KeyState.KEY_STATE_DISABLED);
      assertThat(after.getDescription()).isEqualTo("for orders");
      assertThat(admin.describe(doomed)).isEqualTo(scheduled);
    } finally {
      var _ = cancel(doomed);
    }
    assertThat(admin.describe(doomed).hasDeletionTime()).isFalse();
  }

  @ParameterizedTest
  @ValueSource(ints = {-1, 1, 6, 31, 365})
  void windowOutsideSevenToThirtyDaysIsRefused(int days) {
    String key = admin.createKey(KeySpec.KEY_SPEC_HMAC_256);
    assertThatThrownBy(() -> schedule(key, days))
        .satisfies(
            failsWith(Code.INVALID_ARGUMENT, "INVALID_FIELD", "field", "pending_window_in_days"));
    assertThat(admin.describe(key).getKeyState()).isEqualTo(KeyState.KEY_STATE_ENABLED);
  }

  @Test
  void defaultWindowIsThirtyDays() {
    String key = admin.createKey(KeySpec.KEY_SPEC_HMAC_256);
    long now = System.currentTimeMillis() / 1000;
    long deletion = schedule(key, 0).getDeletionTime().getSeconds();
    assertThat(deletion - now).isBetween(30 * 86_400L - 5, 30 * 86_400L + 120);
  }

  @Test
  void aliasIsRefusedInChangesOfState() {
    String key = admin.createKey(KeySpec.KEY_SPEC_HMAC_256);
    String alias = freshAlias();
    admin.createAlias(alias, key);
    assertThatThrownBy(() -> disable(alias))
        .satisfies(failsWith(Code.INVALID_ARGUMENT, "INVALID_KEY_ID"));
  }

  @Test
  void tagsOfANewKeyAreListedInOrder() {
    var request = CreateKeyRequest.newBuilder().setKeySpec(KeySpec.KEY_SPEC_HMAC_256);
    for (int i = 50; i > 0; i--) {
      request.addTags(Tag.newBuilder().setTagKey("k" + i).setTagValue("v" + i));
    }
    String key = admin.keys().createKey(request.build()).getKeyMetadata().getKeyId();
    var first =
        admin
            .keys()
            .listResourceTags(
                ListResourceTagsRequest.newBuilder().setKeyId(key).setPageSize(30).build());
    var rest =
        admin
            .keys()
            .listResourceTags(
                ListResourceTagsRequest.newBuilder()
                    .setKeyId(key)
                    .setPageSize(30)
                    .setPageToken(first.getNextPageToken())
                    .build());
    assertThat(Stream.concat(first.getTagsList().stream(), rest.getTagsList().stream()).toList())
        .isEqualTo(request.getTagsList());
    assertThat(rest.getNextPageToken()).isEmpty();
    assertThatThrownBy(() -> tag(key))
        .satisfies(failsWith(Code.RESOURCE_EXHAUSTED, "LIMIT_EXCEEDED", "maximum", "50"));
  }

  static Stream<Arguments> invalidTags() {
    return Stream.of(
        argumentSet("duplicate key", List.of("a", "a"), "Duplicate tag keys"),
        argumentSet("reserved prefix", List.of("AWS:x"), "Tags beginning with aws: are reserved"),
        argumentSet(
            "too many",
            Stream.iterate(0, i -> i + 1).limit(51).map(i -> "k" + i).toList(),
            "Too many tags"));
  }

  @ParameterizedTest
  @MethodSource("invalidTags")
  void invalidTagsAreRefusedBeforeTheKeyIsCreated(List<String> tagKeys, String rule) {
    int before = token.count(Call.GENERATE);
    var request = CreateKeyRequest.newBuilder().setKeySpec(KeySpec.KEY_SPEC_HMAC_256);
    tagKeys.forEach(key -> request.addTags(Tag.newBuilder().setTagKey(key)));
    assertThatThrownBy(() -> admin.keys().createKey(request.build()))
        .satisfies(failsWith(Code.INVALID_ARGUMENT, "INVALID_TAG", "rule", rule));
    assertThat(token.count(Call.GENERATE)).isEqualTo(before);
  }

  @Test
  void tagIsReplacedByKeyAndRemoved() {
    String key = admin.createKey(KeySpec.KEY_SPEC_HMAC_256);
    tag(key);
    var _ =
        admin
            .keys()
            .tagResource(
                TagResourceRequest.newBuilder()
                    .setKeyId(key)
                    .addTags(Tag.newBuilder().setTagKey("cost").setTagValue("7"))
                    .addTags(Tag.newBuilder().setTagKey("team").setTagValue("ops"))
                    .build());
    var list = ListResourceTagsRequest.newBuilder().setKeyId(key).build();
    assertThat(admin.keys().listResourceTags(list).getTagsList())
        .extracting(Tag::getTagKey, Tag::getTagValue)
        .containsExactly(
            org.assertj.core.groups.Tuple.tuple("team", "ops"),
            org.assertj.core.groups.Tuple.tuple("cost", "7"));
    var _ =
        admin
            .keys()
            .untagResource(
                UntagResourceRequest.newBuilder()
                    .setKeyId(key)
                    .addAllTagKeys(List.of("team", "cost", "never"))
                    .build());
    assertThat(admin.keys().listResourceTags(list).getTagsList()).isEmpty();
  }
}

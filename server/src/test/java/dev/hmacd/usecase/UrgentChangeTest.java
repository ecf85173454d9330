package dev.hmacd.usecase;

import static dev.hmacd.testing.Reasons.failsWith;
import static dev.hmacd.testing.Reasons.info;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.common.util.concurrent.ListenableFuture;
import dev.hmacd.access.Action;
import dev.hmacd.testing.Caller;
import dev.hmacd.testing.Eventually;
import dev.hmacd.testing.LoopbackDaemon;
import dev.hmacd.testing.RegistryHold;
import dev.hmacd.testing.RegistryHold.Held;
import dev.hmacd.v1.AccessKeyMetadata;
import dev.hmacd.v1.AccessKeyServiceGrpc;
import dev.hmacd.v1.CreateAccessKeyRequest;
import dev.hmacd.v1.DisableAccessKeyRequest;
import dev.hmacd.v1.DisableKeyRequest;
import dev.hmacd.v1.DisableKeyResponse;
import dev.hmacd.v1.EnableKeyRequest;
import dev.hmacd.v1.EnableKeyResponse;
import dev.hmacd.v1.KeyServiceGrpc;
import dev.hmacd.v1.KeySpec;
import dev.hmacd.v1.KeyState;
import dev.hmacd.v1.ListAccessKeysRequest;
import dev.hmacd.v1.ListKeysRequest;
import dev.hmacd.v1.ScheduleKeyDeletionRequest;
import dev.hmacd.v1.Tag;
import dev.hmacd.v1.TagResourceRequest;
import dev.hmacd.v1.TagResourceResponse;
import io.grpc.Status.Code;
import io.grpc.StatusRuntimeException;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/// Changes that stop a key or an access key, while a flood of other changes fills the registry's
/// queue.
final class UrgentChangeTest {
  /// Calls of each principal in the flood, and how many of them may be in flight.
  private static final int CALLS = 200;

  private static final int IN_FLIGHT = 128;

  /// How many urgent changes of each principal may be in flight, in addition to [#IN_FLIGHT].
  private static final int URGENT_IN_FLIGHT = 16;

  private final RegistryHold registry = new RegistryHold();
  private final LoopbackDaemon daemon =
      LoopbackDaemon.withAdmin()
          .allowing("greedy", List.of(Action.TAG_RESOURCE, Action.DISABLE_KEY), "*")
          .allowing("eager", List.of(Action.TAG_RESOURCE), "*")
          .limit("max_call_time: 10m")
          .clock(registry);

  @SuppressWarnings("NullAway.Init") // start() sets it.
  private Caller admin;

  private String key = "";

  @BeforeEach
  void start() {
    admin = daemon.start().as("admin");
    key = loadedKey();
  }

  @AfterEach
  void stop() {
    daemon.close();
  }

  /// A new key that is in memory, so that its calls wait for the registry's queue alone.
  private String loadedKey() {
    String made = admin.createKey(KeySpec.KEY_SPEC_HMAC_256);
    var _ = admin.describe(made);
    return made;
  }

  private static List<ListenableFuture<TagResourceResponse>> flood(Caller caller, String keyId) {
    return IntStream.range(0, CALLS).mapToObj(_ -> tag(caller, keyId)).toList();
  }

  private static ListenableFuture<TagResourceResponse> tag(Caller caller, String keyId) {
    return KeyServiceGrpc.newFutureStub(caller.channel())
        .tagResource(
            TagResourceRequest.newBuilder()
                .setKeyId(keyId)
                .addTags(Tag.newBuilder().setTagKey("team").setTagValue("billing"))
                .build());
  }

  private static ListenableFuture<DisableKeyResponse> disable(Caller caller, String keyId) {
    return KeyServiceGrpc.newFutureStub(caller.channel())
        .disableKey(DisableKeyRequest.newBuilder().setKeyId(keyId).build());
  }

  private static void awaitRefusals(List<? extends Future<?>> calls, int count) {
    Eventually.holds(
        count + " calls are refused", () -> calls.stream().filter(Future::isDone).count() >= count);
  }

  private static <T> T get(Future<T> answer) throws Exception {
    return answer.get(Eventually.LIMIT.toSeconds(), TimeUnit.SECONDS);
  }

  private static void requireFailure(Future<?> answer, Code code, String reason) {
    assertThatThrownBy(() -> get(answer))
        .isInstanceOf(ExecutionException.class)
        .cause()
        .satisfies(failsWith(code, reason));
  }

  @Test
  void stopsAreAnsweredDuringAFloodOfOtherChanges() throws Exception {
    String doomed = loadedKey();
    AccessKeyMetadata accessKey =
        admin
            .accessKeys()
            .createAccessKey(
                CreateAccessKeyRequest.newBuilder().setPrincipal(LoopbackDaemon.arn("ci")).build())
            .getAccessKey();
    try (Held held = registry.block()) {
      List<ListenableFuture<TagResourceResponse>> greedy = flood(daemon.as("greedy"), doomed);
      List<ListenableFuture<TagResourceResponse>> eager = flood(daemon.as("eager"), doomed);
      awaitRefusals(greedy, CALLS - IN_FLIGHT);
      awaitRefusals(eager, CALLS - IN_FLIGHT);
      // The queue is full.
      List<ListenableFuture<TagResourceResponse>> admins = flood(admin, doomed);
      awaitRefusals(admins, CALLS);
      assertThatThrownBy(() -> admin.keys().listKeys(ListKeysRequest.getDefaultInstance()))
          .satisfies(failsWith(Code.RESOURCE_EXHAUSTED, "REGISTRY_BUSY"));

      var keys = KeyServiceGrpc.newFutureStub(admin.channel());
      var disabled = keys.disableKey(DisableKeyRequest.newBuilder().setKeyId(key).build());
      var disabledAccessKey =
          AccessKeyServiceGrpc.newFutureStub(admin.channel())
              .disableAccessKey(
                  DisableAccessKeyRequest.newBuilder()
                      .setAccessKeyId(accessKey.getAccessKeyId())
                      .build());
      var scheduled =
          keys.scheduleKeyDeletion(
              ScheduleKeyDeletionRequest.newBuilder()
                  .setKeyId(doomed)
                  .setPendingWindowInDays(7)
                  .build());
      // A connection's requests are read in order, so the three changes are in the queue now.
      var _ = admin.describe(key);
      List<Future<?>> stops = List.of(disabled, disabledAccessKey, scheduled);
      assertThat(stops).noneMatch(Future::isDone);
      held.release();

      assertThat(get(disabled).getKeyMetadata().getKeyState())
          .isEqualTo(KeyState.KEY_STATE_DISABLED);
      assertThat(get(scheduled).getKeyMetadata().getKeyState())
          .isEqualTo(KeyState.KEY_STATE_PENDING_DELETION);
      var _ = get(disabledAccessKey);
      assertThat(
              admin
                  .accessKeys()
                  .listAccessKeys(ListAccessKeysRequest.getDefaultInstance())
                  .getAccessKeysList())
          .contains(accessKey.toBuilder().setActive(false).build());

      // ScheduleKeyDeletion was executed before each TagResource that was queued earlier.
      for (ListenableFuture<TagResourceResponse> each :
          Stream.concat(greedy.stream(), eager.stream()).toList()) {
        assertThatThrownBy(() -> get(each)).isInstanceOf(ExecutionException.class);
      }
      assertThat(countOf(greedy, "KEY_NOT_USABLE")).isEqualTo(IN_FLIGHT);
      assertThat(countOf(eager, "KEY_NOT_USABLE")).isEqualTo(IN_FLIGHT);
      assertThat(countOf(greedy, "REGISTRY_BUSY")).isEqualTo(CALLS - IN_FLIGHT);
      assertThat(countOf(eager, "REGISTRY_BUSY")).isEqualTo(CALLS - IN_FLIGHT);
      assertThat(countOf(admins, "REGISTRY_BUSY")).isEqualTo(CALLS);
    }
  }

  /// Otherwise, one caller could take all places of ordinary changes.
  @Test
  void stopsAndOtherChangesOfACallerShareOneQuota() throws Exception {
    Caller greedy = daemon.as("greedy");
    String other = loadedKey();
    try (Held held = registry.block()) {
      awaitRefusals(flood(greedy, key), CALLS - IN_FLIGHT);
      List<ListenableFuture<DisableKeyResponse>> stops =
          IntStream.range(0, CALLS).mapToObj(_ -> disable(greedy, key)).toList();
      awaitRefusals(stops, CALLS - URGENT_IN_FLIGHT);
      ListenableFuture<TagResourceResponse> tagged = tag(admin, other);
      ListenableFuture<DisableKeyResponse> disabled = disable(admin, other);
      // A connection's requests are read in order, so the two changes are in the queue now.
      var _ = admin.describe(other);
      List<Future<?>> changes = List.of(tagged, disabled);
      assertThat(changes).noneMatch(Future::isDone);
      held.release();
      var _ = get(tagged);
      assertThat(get(disabled).getKeyMetadata().getKeyState())
          .isEqualTo(KeyState.KEY_STATE_DISABLED);
    }
  }

  private static long countOf(List<ListenableFuture<TagResourceResponse>> calls, String reason) {
    return calls.stream()
        .map(call -> (StatusRuntimeException) call.exceptionNow())
        .filter(failure -> info(failure).getReason().equals(reason))
        .count();
  }

  @Test
  void overtakenEnableKeyIsRefused() throws Exception {
    admin.disable(key);
    var _ = admin.describe(key); // In memory from now on.
    try (Held held = registry.block()) {
      ListenableFuture<EnableKeyResponse> enabled = enable();
      var _ = admin.describe(key);
      ListenableFuture<DisableKeyResponse> disabled = disable(admin, key);
      var _ = admin.describe(key);
      held.release();
      assertThat(get(disabled).getKeyMetadata().getKeyState())
          .isEqualTo(KeyState.KEY_STATE_DISABLED);
      requireFailure(enabled, Code.FAILED_PRECONDITION, "KEY_NOT_USABLE");
      assertThat(admin.describe(key).getKeyState()).isEqualTo(KeyState.KEY_STATE_DISABLED);
    }
    assertThat(get(enable()).getKeyMetadata().getKeyState()).isEqualTo(KeyState.KEY_STATE_ENABLED);
  }

  private ListenableFuture<EnableKeyResponse> enable() {
    return KeyServiceGrpc.newFutureStub(admin.channel())
        .enableKey(EnableKeyRequest.newBuilder().setKeyId(key).build());
  }
}

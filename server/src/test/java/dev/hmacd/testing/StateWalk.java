package dev.hmacd.testing;

import dev.hmacd.token.FaultyToken;
import dev.hmacd.token.FaultyToken.Call;
import dev.hmacd.v1.DisableKeyRequest;
import dev.hmacd.v1.KeyListEntry;
import dev.hmacd.v1.KeySpec;
import dev.hmacd.v1.ListKeysRequest;
import dev.hmacd.v1.ScheduleKeyDeletionRequest;
import io.grpc.StatusRuntimeException;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.function.BiConsumer;

/// AWS KMS's table of permitted operations in each key state ("Key states of AWS KMS keys"), and a
/// way to create a key in each state. Tests of both edges use it.
public final class StateWalk {
  /// A state of AWS KMS, with its name in the registry.
  public enum State {
    CREATING("CREATING"),
    ENABLED("ENABLED"),
    DISABLED("DISABLED"),
    PENDING_DELETION("PENDING_DELETION"),
    UNAVAILABLE("ENABLED");

    private final String written;

    State(String written) {
      this.written = written;
    }

    public String written() {
      return written;
    }
  }

  /// Operations of AWS KMS that are not in the gRPC contract.
  private static final Set<String> ONLY_AWS =
      Set.of("GetKeyRotationStatus", "GetKeyPolicy", "ListKeyPolicies");

  private static final Map<String, EnumSet<State>> TABLE = table();

  private final SoftHsm hsm;
  private final FaultyToken token;
  private final Caller admin;

  /// @param token the daemon's token
  /// @param admin a caller with all permissions
  public StateWalk(SoftHsm hsm, FaultyToken token, Caller admin) {
    this.hsm = hsm;
    this.token = token;
    this.admin = admin;
  }

  private static Map<String, EnumSet<State>> table() {
    Map<String, EnumSet<State>> table = new HashMap<>();
    for (String name : List.of("GenerateMac", "VerifyMac")) {
      table.put(name, EnumSet.of(State.ENABLED));
    }
    for (String name :
        List.of(
            "EnableKey",
            "DisableKey",
            "ScheduleKeyDeletion",
            "UpdateKeyDescription",
            "TagResource",
            "UntagResource",
            "CreateAlias",
            "UpdateAlias")) {
      table.put(name, EnumSet.of(State.ENABLED, State.DISABLED, State.UNAVAILABLE));
    }
    table.put("CancelKeyDeletion", EnumSet.of(State.PENDING_DELETION));
    for (String name : List.of("DescribeKey", "ListResourceTags", "ListAliases", "DeleteAlias")) {
      table.put(name, EnumSet.allOf(State.class));
    }
    ONLY_AWS.forEach(name -> table.put(name, EnumSet.allOf(State.class)));
    return table;
  }

  /// The operations on a key that both edges have.
  public static Set<String> operations() {
    Set<String> both = new HashSet<>(TABLE.keySet());
    both.removeAll(ONLY_AWS);
    return both;
  }

  /// The operations on a key that the AWS KMS edge has.
  public static Set<String> operationsOfAws() {
    return TABLE.keySet();
  }

  /// Whether the operation is allowed in the state.
  public static boolean isAllowed(String operation, State state) {
    return TABLE.getOrDefault(operation, EnumSet.noneOf(State.class)).contains(state);
  }

  /// Creates a key, brings it into a state, and runs a test.
  ///
  /// @param test takes the key's id and its alias; the alias is empty in state CREATING
  public void put(State state, BiConsumer<String, String> test) {
    if (state == State.CREATING) {
      whileCreating(test);
      return;
    }
    String key = admin.createKey(KeySpec.KEY_SPEC_HMAC_256);
    String alias = "alias/state-" + UUID.randomUUID();
    admin.createAlias(alias, key);
    switch (state) {
      case ENABLED, CREATING -> {}
      case DISABLED -> {
        var _ = admin.keys().disableKey(DisableKeyRequest.newBuilder().setKeyId(key).build());
      }
      case PENDING_DELETION -> {
        var request = ScheduleKeyDeletionRequest.newBuilder().setKeyId(key);
        var _ = admin.keys().scheduleKeyDeletion(request.setPendingWindowInDays(7).build());
      }
      case UNAVAILABLE -> deleteObject(key);
    }
    test.accept(key, alias);
  }

  private void deleteObject(String key) {
    hsm.delete("hmacd/key/" + key + "/1");
    try {
      var _ = admin.generateMac(key, "hello"); // The daemon detects the missing object.
    } catch (StatusRuntimeException e) {
      return;
    }
    throw new AssertionError("a key without an object gave a MAC");
  }

  private void whileCreating(BiConsumer<String, String> test) {
    Set<String> before = Set.copyOf(keys());
    try (var gate = token.blocking(Call.GENERATE)) {
      var making = CompletableFuture.runAsync(() -> admin.createKey(KeySpec.KEY_SPEC_HMAC_256));
      gate.awaitEntered();
      String key = keys().stream().filter(each -> !before.contains(each)).findFirst().orElseThrow();
      test.accept(key, "");
      gate.release();
      making.join();
    }
  }

  private List<String> keys() {
    return admin
        .keys()
        .listKeys(ListKeysRequest.newBuilder().setPageSize(1000).build())
        .getKeysList()
        .stream()
        .map(KeyListEntry::getKeyId)
        .toList();
  }
}

package dev.hmacd.vectors;

import static dev.hmacd.testing.Reasons.failsWith;
import static dev.hmacd.testing.Reasons.info;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.hmacd.testing.Caller;
import dev.hmacd.testing.SoftHsm;
import dev.hmacd.v1.KeySpec;
import dev.hmacd.v1.MacAlgorithm;
import io.grpc.Status.Code;
import io.grpc.StatusRuntimeException;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;

/// Runs published cases against a daemon: imports the distinct keys into the token, adopts each by
/// label, and uses it over gRPC.
///
/// SoftHSM2 refuses a key that is shorter than the hash. The run asserts the refusal, and uses the
/// key with appended zero bytes, which is the same HMAC key (RFC 2104, section 2).
final class VectorRun {
  /// Numbers of cases by result. Each case counts either as run or as refused.
  ///
  /// @param run cases with the expected MAC
  /// @param refused cases that must be refused
  /// @param notLoadable cases with a key that the token refuses without zero bytes
  record Tally(int run, int refused, int notLoadable) {
    int cases() {
      return run + refused;
    }

    @Override
    public String toString() {
      return "%d run / %d correctly refused / %d of them under a key that this token loads only with appended zero bytes"
          .formatted(run, refused, notLoadable);
    }
  }

  private record Key(dev.hmacd.key.MacAlgorithm algorithm, String hex) {
    static Key of(MacVector vector) {
      return new Key(vector.algorithm(), vector.keyHex());
    }

    int bytes() {
      return hex.length() / 2;
    }

    boolean isLoadable() {
      return bytes() >= algorithm.macBytes();
    }

    Key padded() {
      return new Key(algorithm, hex + "00".repeat(algorithm.macBytes() - bytes()));
    }

    byte[] value() {
      return HexFormat.of().parseHex(hex);
    }

    KeySpec spec() {
      return KeySpec.valueOf("KEY_SPEC_HMAC_" + algorithm.macBytes() * 8);
    }
  }

  /// Number of cases whose keys are on the token at a time: SoftHSM2 visits all objects in each
  /// search.
  private static final int GROUP = 50;

  private final SoftHsm hsm;
  private final Caller admin;
  private final Map<Key, String> keyIds = new HashMap<>();
  private List<String> loaded = List.of();
  private int run;
  private int refused;
  private int notLoadable;

  VectorRun(SoftHsm hsm, Caller admin) {
    this.hsm = hsm;
    this.admin = admin;
  }

  Tally run(List<MacVector> vectors) {
    for (int from = 0; from < vectors.size(); from += GROUP) {
      List<MacVector> group = vectors.subList(from, Math.min(from + GROUP, vectors.size()));
      load(group);
      group.forEach(this::run);
    }
    return new Tally(run, refused, notLoadable);
  }

  private void load(List<MacVector> vectors) {
    Map<Key, String> labels = new HashMap<>();
    for (MacVector vector : vectors) {
      Key key = Key.of(vector);
      labels.computeIfAbsent(key, _ -> SoftHsm.freshLabel("vector"));
      if (!key.isLoadable()) {
        labels.computeIfAbsent(key.padded(), _ -> SoftHsm.freshLabel("padded"));
      }
    }
    Map<String, byte[]> values = new HashMap<>();
    labels.forEach((key, label) -> values.put(label, key.value()));
    hsm.replaceKeys(loaded, values);
    loaded = List.copyOf(labels.values());
    labels.forEach(this::adopt);
  }

  private void adopt(Key key, String label) {
    if (key.isLoadable()) {
      keyIds.put(key, admin.adopt(label, key.spec()).getKeyId());
    } else {
      assertThatThrownBy(() -> admin.adopt(label, key.spec()))
          .as("a key of %d bytes for %s", key.bytes(), key.algorithm())
          .satisfies(failsWith(Code.FAILED_PRECONDITION, "TOKEN_OBJECT_UNFIT"))
          .isInstanceOfSatisfying(
              StatusRuntimeException.class,
              e ->
                  assertThat(info(e).getMetadataMap()).containsEntry("attribute", "CKA_VALUE_LEN"));
    }
  }

  private void run(MacVector vector) {
    Key key = Key.of(vector);
    if (!key.isLoadable()) {
      notLoadable++;
      key = key.padded();
    }
    String keyId = keyIds.get(key);
    assertThat(keyId).as("%s has a key", vector).isNotNull();
    MacAlgorithm algorithm = MacAlgorithm.valueOf("MAC_ALGORITHM_" + vector.algorithm());
    byte[] message = vector.message();
    ThrowingCallable verify = () -> admin.verifyMac(keyId, message, vector.mac(), algorithm);
    if (!vector.isMessageServed()) {
      requireRefused(vector, verify, "INVALID_FIELD");
      requireRefused(vector, () -> admin.generateMac(keyId, message, algorithm), "INVALID_FIELD");
      refused++;
      return;
    }
    byte[] full = admin.generateMac(keyId, message, algorithm);
    assertThat(full).as("%s: MAC", vector).hasSize(vector.algorithm().macBytes());
    assertThat(vector.agrees(full)).as("%s: the MAC matches", vector).isEqualTo(vector.valid());
    if (!vector.valid()) {
      requireRefused(vector, verify, "KMS_INVALID_MAC");
      refused++;
      return;
    }
    if (vector.isTruncated()) {
      requireRefused(vector, verify, "KMS_INVALID_MAC");
    }
    admin.verifyMac(keyId, message, full, algorithm);
    run++;
  }

  private static void requireRefused(MacVector vector, ThrowingCallable call, String reason) {
    assertThatThrownBy(call).as("%s", vector).satisfies(failsWith(Code.INVALID_ARGUMENT, reason));
  }
}

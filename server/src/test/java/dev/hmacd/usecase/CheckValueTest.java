package dev.hmacd.usecase;

import static dev.hmacd.testing.Reasons.failsWith;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.protobuf.ByteString;
import dev.hmacd.key.KeyCheckValue;
import dev.hmacd.key.KeyId;
import dev.hmacd.testing.Caller;
import dev.hmacd.testing.Eventually;
import dev.hmacd.testing.LogWatch;
import dev.hmacd.testing.LoopbackDaemon;
import dev.hmacd.testing.SoftHsm;
import dev.hmacd.token.FaultyToken;
import dev.hmacd.token.FaultyToken.Call;
import dev.hmacd.token.FaultyToken.Gate;
import dev.hmacd.token.Token;
import dev.hmacd.v1.GenerateMacRequest;
import dev.hmacd.v1.KeyMetadata;
import dev.hmacd.v1.KeySpec;
import dev.hmacd.v1.MacAlgorithm;
import dev.hmacd.v1.ScheduleKeyDeletionRequest;
import dev.hmacd.v1.VerifyMacRequest;
import io.grpc.Status.Code;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.SecureRandom;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// A check value identifies a key, not the label and id of its object. Another key under the same
/// label and id is never used.
final class CheckValueTest {
  private static final byte[] MESSAGE = "hello".getBytes(StandardCharsets.UTF_8);
  private static final MacAlgorithm SHA_256 = MacAlgorithm.MAC_ALGORITHM_HMAC_SHA_256;
  private static final KeySpec HMAC_256 = KeySpec.KEY_SPEC_HMAC_256;

  private final SoftHsm hsm = SoftHsm.shared();
  private final String label = SoftHsm.freshLabel("checked");
  private final String id = SoftHsm.freshId();
  private final byte[] key = random();
  private final FaultyToken token = new FaultyToken(hsm.token());
  private final LoopbackDaemon daemon = LoopbackDaemon.withAdmin().wrapping(_ -> token);
  private final LogWatch log = LogWatch.start();

  @SuppressWarnings("NullAway.Init") // start() sets it.
  private Caller admin;

  @BeforeEach
  void start() {
    admin = daemon.start().as("admin");
  }

  @AfterEach
  void stop() {
    daemon.close();
    log.close();
  }

  private void restart() {
    admin = daemon.restart().as("admin");
  }

  private static byte[] random() {
    byte[] bytes = new byte[32];
    new SecureRandom().nextBytes(bytes);
    return bytes;
  }

  /// The MAC of the JDK's own HMAC.
  private static byte[] jdkMac(byte[] under, byte[] message) {
    try {
      Mac mac = Mac.getInstance("HmacSHA256", "SunJCE");
      mac.init(new SecretKeySpec(under, "HmacSHA256"));
      return mac.doFinal(message);
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException(e);
    }
  }

  private byte[] macUnder(KeyMetadata adopted) {
    return admin.generateMac(adopted.getKeyId(), MESSAGE, SHA_256);
  }

  private KeyMetadata adopted() {
    hsm.importKey(label, id, key);
    return admin.adopt(label, HMAC_256);
  }

  private void replace(byte[] by) {
    hsm.delete(label);
    hsm.importKey(label, id, by);
  }

  private void requireUnavailable(KeyMetadata adopted) {
    assertThatThrownBy(() -> macUnder(adopted))
        .satisfies(failsWith(Code.UNAVAILABLE, "KEY_UNAVAILABLE", "key_id", adopted.getKeyId()));
    assertThatThrownBy(
            () -> admin.verifyMac(adopted.getKeyId(), MESSAGE, jdkMac(key, MESSAGE), SHA_256))
        .satisfies(failsWith(Code.UNAVAILABLE, "KEY_UNAVAILABLE", "key_id", adopted.getKeyId()));
  }

  private Connection registry() throws SQLException {
    return DriverManager.getConnection("jdbc:sqlite:" + daemon.folder().resolve("registry.db"));
  }

  private @Nullable String stored(String keyId) throws SQLException {
    try (Connection registry = registry();
        Statement statement = registry.createStatement();
        ResultSet rows =
            statement.executeQuery(
                "SELECT check_value FROM key_versions WHERE key_id = '" + keyId + "'")) {
      return rows.next() ? rows.getString(1) : "no such key";
    }
  }

  /// Deletes all check values: a daemon of an older version wrote such a registry.
  private void deleteCheckValues() throws SQLException {
    daemon.daemon().close();
    try (Connection registry = registry();
        Statement statement = registry.createStatement()) {
      statement.executeUpdate("UPDATE key_versions SET check_value = NULL");
    }
    admin = daemon.start().as("admin");
  }

  private String checkValue(KeyMetadata adopted) {
    return HexFormat.of()
        .formatHex(jdkMac(key, KeyCheckValue.message(new KeyId(adopted.getKeyId()), 1)));
  }

  @Test
  void checkValueOfAnAdoptedKeyEqualsThatOfTheJdk() throws SQLException {
    KeyMetadata adopted = adopted();
    assertThat(stored(adopted.getKeyId())).isEqualTo(checkValue(adopted));
  }

  @Test
  void createdKeysHaveDifferentCheckValues() throws SQLException {
    String first = stored(admin.createKey(HMAC_256));
    String second = stored(admin.createKey(HMAC_256));
    assertThat(first).matches("[0-9a-f]{64}").isNotEqualTo(second);
    assertThat(second).matches("[0-9a-f]{64}");
  }

  @Test
  void anotherKeyUnderTheSameLabelAndIdIsNotUsed() {
    KeyMetadata adopted = adopted();
    assertThat(macUnder(adopted)).isEqualTo(jdkMac(key, MESSAGE));
    replace(random());
    restart();
    for (int i = 0; i < 20; i++) {
      requireUnavailable(adopted);
    }
    assertThat(log.lines("ERROR", adopted.getKeyId(), hsm.serial(), label)).hasSize(1);
    // The token stays in service.
    assertThat(admin.generateMac(admin.createKey(HMAC_256), MESSAGE, SHA_256)).hasSize(32);
    // After a restore from a backup, the key is usable again.
    replace(key);
    assertThat(macUnder(adopted)).isEqualTo(jdkMac(key, MESSAGE));
    // A second replacement is reported again.
    replace(random());
    restart();
    requireUnavailable(adopted);
    assertThat(log.lines("ERROR", adopted.getKeyId(), hsm.serial(), label)).hasSize(2);
  }

  /// A session copy stays the correct key until the end of its session.
  @Test
  void laneWithASessionCopyAnswersAfterAReplacement() {
    daemon.token("lanes: 1");
    restart();
    KeyMetadata adopted = adopted();
    byte[] right = jdkMac(key, MESSAGE);
    assertThat(macUnder(adopted)).isEqualTo(right);
    replace(random());
    for (int i = 0; i < 50; i++) {
      assertThat(macUnder(adopted)).as("call %s", i).isEqualTo(right);
    }
    assertThat(log.lines("ERROR", adopted.getKeyId())).isEmpty();
  }

  @Test
  void laneWithoutSessionCopiesDoesNotUseAnotherKey() {
    Token objects = hsm.tokenWithoutCopies();
    daemon.token("lanes: 1").wrapping(_ -> objects);
    restart();
    KeyMetadata adopted = adopted();
    assertThat(macUnder(adopted)).isEqualTo(jdkMac(key, MESSAGE));
    replace(random());
    for (int i = 0; i < 50; i++) {
      requireUnavailable(adopted);
    }
  }

  /// Two lanes are busy at the same time. One has a session copy of the correct key, the other
  /// finds another key.
  @Test
  void laneWithoutACopyRefusesWhileALaneWithACopyAnswers() throws Exception {
    daemon.token("lanes: 2").token("probe_interval: 1h");
    restart();
    KeyMetadata adopted = adopted();
    byte[] right = jdkMac(key, MESSAGE);
    assertThat(macUnder(adopted)).isEqualTo(right);
    replace(random());
    List<Future<byte[]>> macs = new ArrayList<>();
    try (Gate gate = token.blocking(Call.SIGN);
        var callers = Executors.newFixedThreadPool(2)) {
      macs.add(callers.submit(() -> macUnder(adopted)));
      gate.awaitEntered();
      macs.add(callers.submit(() -> macUnder(adopted)));
      Eventually.holds("the other lane has answered", macs.getLast()::isDone);
      gate.release();
    }
    int answered = 0;
    for (Future<byte[]> mac : macs) {
      if (mac.state() == Future.State.SUCCESS) {
        assertThat(mac.resultNow()).isEqualTo(right);
        answered++;
      } else {
        assertThat(mac.exceptionNow()).satisfies(failsWith(Code.UNAVAILABLE, "KEY_UNAVAILABLE"));
      }
    }
    assertThat(answered).isEqualTo(1);
  }

  @Test
  void nextUseStoresAMissingCheckValue() throws SQLException {
    KeyMetadata adopted = adopted();
    deleteCheckValues();
    assertThat(stored(adopted.getKeyId())).isNull();
    assertThat(macUnder(adopted)).isEqualTo(jdkMac(key, MESSAGE));
    assertThat(stored(adopted.getKeyId())).isEqualTo(checkValue(adopted));
    assertThat(log.lines("INFO Missing check value of a key stored", adopted.getKeyId()))
        .hasSize(1);
    restart();
    assertThat(macUnder(adopted)).isEqualTo(jdkMac(key, MESSAGE));
    assertThat(log.lines("INFO Missing check value of a key stored", adopted.getKeyId()))
        .hasSize(1);
    replace(random());
    restart();
    requireUnavailable(adopted);
    assertThat(stored(adopted.getKeyId())).isEqualTo(checkValue(adopted));
  }

  @Test
  void verifyMacStoresAMissingCheckValue() throws SQLException {
    KeyMetadata adopted = adopted();
    deleteCheckValues();
    admin.verifyMac(adopted.getKeyId(), MESSAGE, jdkMac(key, MESSAGE), SHA_256);
    assertThat(stored(adopted.getKeyId())).isEqualTo(checkValue(adopted));
  }

  @ParameterizedTest
  @EnumSource
  void dryRunStoresAMissingCheckValue(Method method) throws SQLException {
    KeyMetadata adopted = adopted();
    deleteCheckValues();
    assertThatThrownBy(() -> method.dryRun(admin, adopted.getKeyId(), jdkMac(key, MESSAGE)))
        .satisfies(failsWith(Code.FAILED_PRECONDITION, "DRY_RUN_OPERATION"));
    assertThat(stored(adopted.getKeyId())).isEqualTo(checkValue(adopted));
  }

  @ParameterizedTest
  @EnumSource
  void dryRunUnderAnotherKeyIsRefused(Method method) {
    KeyMetadata adopted = adopted();
    replace(random());
    restart();
    assertThatThrownBy(() -> method.dryRun(admin, adopted.getKeyId(), jdkMac(key, MESSAGE)))
        .satisfies(failsWith(Code.UNAVAILABLE, "KEY_UNAVAILABLE", "key_id", adopted.getKeyId()));
  }

  enum Method {
    GENERATE_MAC {
      @Override
      void dryRun(Caller admin, String keyId, byte[] mac) {
        var _ =
            admin
                .macs()
                .generateMac(
                    GenerateMacRequest.newBuilder()
                        .setKeyId(keyId)
                        .setMessage(ByteString.copyFrom(MESSAGE))
                        .setMacAlgorithm(SHA_256)
                        .setDryRun(true)
                        .build());
      }
    },
    VERIFY_MAC {
      @Override
      void dryRun(Caller admin, String keyId, byte[] mac) {
        var _ =
            admin
                .macs()
                .verifyMac(
                    VerifyMacRequest.newBuilder()
                        .setKeyId(keyId)
                        .setMessage(ByteString.copyFrom(MESSAGE))
                        .setMac(ByteString.copyFrom(mac))
                        .setMacAlgorithm(SHA_256)
                        .setDryRun(true)
                        .build());
      }
    };

    abstract void dryRun(Caller admin, String keyId, byte[] mac);
  }

  @Test
  void concurrentFirstUsesStoreOneCheckValue() throws Exception {
    KeyMetadata adopted = adopted();
    deleteCheckValues();
    List<Future<byte[]>> macs = new ArrayList<>();
    try (var callers = Executors.newFixedThreadPool(16)) {
      for (int i = 0; i < 64; i++) {
        macs.add(callers.submit(() -> macUnder(adopted)));
      }
      for (Future<byte[]> mac : macs) {
        assertThat(mac.get()).isEqualTo(jdkMac(key, MESSAGE));
      }
    }
    assertThat(stored(adopted.getKeyId())).isEqualTo(checkValue(adopted));
    assertThat(log.lines("INFO Missing check value of a key stored", adopted.getKeyId()))
        .hasSize(1);
  }

  /// A call that waits for the check value is authorized again afterwards.
  @ParameterizedTest
  @EnumSource
  void keyIsNotUsedIfItsStateChangesDuringItsFirstUse(OutOfUse change) throws Exception {
    KeyMetadata adopted = adopted();
    deleteCheckValues();
    try (Gate gate = token.blocking(Call.LOAD);
        var callers = Executors.newFixedThreadPool(2)) {
      var request =
          GenerateMacRequest.newBuilder()
              .setKeyId(adopted.getKeyId())
              .setMessage(ByteString.copyFrom(MESSAGE))
              .setMacAlgorithm(SHA_256)
              .build();
      Future<?> mac = callers.submit(() -> admin.macs().generateMac(request));
      var verification =
          VerifyMacRequest.newBuilder()
              .setKeyId(adopted.getKeyId())
              .setMessage(ByteString.copyFrom(MESSAGE))
              .setMac(ByteString.copyFrom(jdkMac(key, MESSAGE)))
              .setMacAlgorithm(SHA_256)
              .build();
      Future<?> verified = callers.submit(() -> admin.macs().verifyMac(verification));
      gate.awaitEntered();
      change.of(admin, adopted.getKeyId());
      gate.release();
      for (Future<?> each : List.of(mac, verified)) {
        assertThatThrownBy(each::get)
            .cause()
            .satisfies(failsWith(Code.FAILED_PRECONDITION, "KEY_NOT_USABLE"));
      }
    }
    assertThat(stored(adopted.getKeyId())).isEqualTo(checkValue(adopted));
  }

  enum OutOfUse {
    DISABLED {
      @Override
      void of(Caller admin, String key) {
        admin.disable(key);
      }
    },
    PENDING_DELETION {
      @Override
      void of(Caller admin, String key) {
        var _ =
            admin
                .keys()
                .scheduleKeyDeletion(
                    ScheduleKeyDeletionRequest.newBuilder()
                        .setKeyId(key)
                        .setPendingWindowInDays(7)
                        .build());
      }
    };

    abstract void of(Caller admin, String key);
  }

  @Test
  void logHasNoCheckValue() {
    KeyMetadata adopted = adopted();
    replace(random());
    restart();
    requireUnavailable(adopted);
    assertThat(log.lines(checkValue(adopted))).isEmpty();
  }
}

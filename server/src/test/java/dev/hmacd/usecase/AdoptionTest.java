package dev.hmacd.usecase;

import static dev.hmacd.testing.Reasons.failsWith;
import static dev.hmacd.testing.Reasons.info;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.protobuf.ByteString;
import dev.hmacd.testing.Caller;
import dev.hmacd.testing.DaemonProcess;
import dev.hmacd.testing.LogWatch;
import dev.hmacd.testing.LoopbackDaemon;
import dev.hmacd.testing.SoftHsm;
import dev.hmacd.v1.KeyListEntry;
import dev.hmacd.v1.KeyMetadata;
import dev.hmacd.v1.KeyOrigin;
import dev.hmacd.v1.KeySpec;
import dev.hmacd.v1.KeyState;
import dev.hmacd.v1.ListKeysRequest;
import dev.hmacd.v1.MacAlgorithm;
import dev.hmacd.v1.TokenObject;
import io.grpc.Status.Code;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.SecureRandom;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.UUID;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// Adoption of keys from a key ceremony: conditions, refusals, and use of adopted keys.
final class AdoptionTest {
  private static final byte[] MESSAGE = "hello".getBytes(StandardCharsets.UTF_8);
  private static final MacAlgorithm SHA_256 = MacAlgorithm.MAC_ALGORITHM_HMAC_SHA_256;
  private static final KeySpec HMAC_256 = KeySpec.KEY_SPEC_HMAC_256;
  private static final String PROBE = "hmacd/own/probe";

  private final SoftHsm hsm = SoftHsm.shared();
  private final LoopbackDaemon daemon = LoopbackDaemon.withAdmin();
  private final String label = SoftHsm.freshLabel("adopted");
  private final String id = SoftHsm.freshId();
  private final byte[] key = random(40);

  @SuppressWarnings("NullAway.Init") // start() sets it.
  private Caller admin;

  @BeforeEach
  void start() {
    admin = daemon.start().as("admin");
  }

  @AfterEach
  void stop() {
    daemon.close();
  }

  private static byte[] random(int length) {
    byte[] bytes = new byte[length];
    new SecureRandom().nextBytes(bytes);
    return bytes;
  }

  /// The MAC of the JDK's HMAC.
  private byte[] expectedMac() {
    try {
      Mac mac = Mac.getInstance("HmacSHA256", "SunJCE");
      mac.init(new SecretKeySpec(key, "HmacSHA256"));
      return mac.doFinal(MESSAGE);
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException(e);
    }
  }

  private byte[] macUnder(KeyMetadata adopted) {
    return admin.generateMac(adopted.getKeyId(), MESSAGE, SHA_256);
  }

  private static void requireUnfit(
      Caller caller, String objectLabel, KeySpec spec, String attribute) {
    assertThatThrownBy(() -> caller.adopt(objectLabel, spec))
        .satisfies(failsWith(Code.FAILED_PRECONDITION, "TOKEN_OBJECT_UNFIT"))
        .isInstanceOfSatisfying(
            StatusRuntimeException.class,
            e -> assertThat(info(e).getMetadataMap()).containsEntry("attribute", attribute));
  }

  @Test
  void keyIsAdoptedByLabelAndDescribedWithTheTokensAttributes() {
    hsm.importKey(label, id, key);
    KeyMetadata adopted = admin.adopt(label, HMAC_256);
    assertThat(macUnder(adopted)).isEqualTo(expectedMac());
    assertThat(admin.describe(adopted.getKeyId())).isEqualTo(adopted);
    assertThat(adopted.getOrigin()).isEqualTo(KeyOrigin.KEY_ORIGIN_ADOPTED);
    assertThat(adopted.getKeyState()).isEqualTo(KeyState.KEY_STATE_ENABLED);
    assertThat(adopted.getMacAlgorithmsList()).containsExactly(SHA_256);
    assertThat(adopted.getTokenObject())
        .isEqualTo(
            TokenObject.newBuilder()
                .setTokenSerial(hsm.token().info().serial())
                .setLabel(label)
                .setId(ByteString.fromHex(id))
                .setSensitive(true)
                .setExtractable(false)
                .setAlwaysSensitive(false)
                .setNeverExtractable(false)
                .setLocal(false)
                .setKeyBytes(key.length)
                .build());
  }

  @Test
  void generatedKeyIsDescribedAsNeverExtractable() {
    TokenObject object = admin.describe(admin.createKey(HMAC_256)).getTokenObject();
    assertThat(object.getSensitive()).isTrue();
    assertThat(object.getExtractable()).isFalse();
    assertThat(object.hasAlwaysSensitive() && object.getAlwaysSensitive()).isTrue();
    assertThat(object.hasNeverExtractable() && object.getNeverExtractable()).isTrue();
    assertThat(object.hasLocal() && object.getLocal()).isTrue();
    assertThat(object.getKeyBytes()).isEqualTo(32);
  }

  @Test
  void keyIsAdoptedById() {
    hsm.importKey(label, id, key);
    KeyMetadata adopted = admin.adoptById(id, HMAC_256);
    assertThat(macUnder(adopted)).isEqualTo(expectedMac());
    assertThat(adopted.getTokenObject().getLabel()).isEqualTo(label);
  }

  @Test
  void keyWithoutIdIsAdoptedByLabel() {
    hsm.importKey(label, "", key);
    KeyMetadata adopted = admin.adopt(label, HMAC_256);
    assertThat(macUnder(adopted)).isEqualTo(expectedMac());
    assertThat(adopted.getTokenObject().getId()).isEqualTo(ByteString.EMPTY);
  }

  @Test
  void keyWithEmptyLabelIsAdoptedById() {
    hsm.importKey("", id, key);
    KeyMetadata adopted = admin.adoptById(id, HMAC_256);
    assertThat(macUnder(adopted)).isEqualTo(expectedMac());
    assertThat(adopted.getTokenObject().getLabel()).isEmpty();
  }

  @Test
  void keyWithNonAsciiLabelIsAdopted() {
    String umlauts = label + "-schlüssel-鍵";
    hsm.importKey(umlauts, id, key);
    assertThat(macUnder(admin.adopt(umlauts, HMAC_256))).isEqualTo(expectedMac());
  }

  @ParameterizedTest(name = "imported with {0}: {1}")
  @CsvSource({
    "--sensitive --private --extractable, CKA_EXTRACTABLE",
    "--private, CKA_SENSITIVE",
    "--private --extractable, CKA_SENSITIVE",
  })
  void extractableOrNonSensitiveKeyIsRefused(String attributes, String broken) {
    hsm.importKey(label, id, key, attributes.split(" "));
    requireUnfit(admin, label, HMAC_256, broken);
  }

  /// `pkcs11-tool` cannot create such a key. Java's keytool can, on a token with unique labels.
  @Test
  @Tag("slow")
  void keyWithoutSignIsRefused(@TempDir Path folder) throws IOException {
    SoftHsm own = SoftHsm.create(folder.resolve("softhsm2.conf"));
    Path provider = folder.resolve("provider.cfg");
    Files.writeString(
        provider,
        """
        name = ceremony
        library = %s
        attributes(*, CKO_SECRET_KEY, *) = {
          CKA_PRIVATE = true
          CKA_SENSITIVE = true
          CKA_EXTRACTABLE = false
          CKA_SIGN = false
        }
        """
            .formatted(own.module()));
    String keytool = Path.of(System.getProperty("java.home"), "bin", "keytool").toString();
    var _ =
        own.run(
            List.of(
                (keytool
                        + " -genseckey -keyalg HmacSHA256 -keysize 256 -alias "
                        + label
                        + " -storetype PKCS11 -keystore NONE -storepass "
                        + own.pin()
                        + " -addprovider SunPKCS11 -providerArg "
                        + provider)
                    .split(" ")));
    var files = LoopbackDaemon.on(own).allowingAll("admin");
    try (DaemonProcess process = DaemonProcess.start(files, own, Map.of())) {
      requireUnfit(process.as("admin"), label, HMAC_256, "CKA_SIGN");
    }
  }

  @Test
  void keyOfAnotherTypeIsRefused() {
    hsm.importKey(label, id, random(32), "--sensitive", "--private", "--key-type", "AES:32");
    requireUnfit(admin, label, HMAC_256, "CKA_KEY_TYPE");
  }

  /// A caller can repeat a refused call at any rate.
  @Test
  void refusedObjectIsLoggedAtALimitedRate() {
    int calls = 5;
    hsm.importKey(label, id, key);
    try (LogWatch log = LogWatch.start()) {
      for (int i = 0; i < calls; i++) {
        requireUnfit(admin, label, KeySpec.KEY_SPEC_HMAC_512, "CKA_VALUE_LEN");
      }
      String line = "Object not adopted: an attribute does not permit use as a key";
      assertThat(log.count(line, label, "CKA_VALUE_LEN", "times=\"1\"")).isPositive();
      assertThat(log.count(line)).isLessThan(calls);
    }
  }

  @Test
  void keyThatIsTooShortForOneSpecIsAdoptedForAnother() {
    hsm.importKey(label, id, key);
    requireUnfit(admin, label, KeySpec.KEY_SPEC_HMAC_512, "CKA_VALUE_LEN");
    assertThatThrownBy(() -> admin.adopt(label, KeySpec.KEY_SPEC_HMAC_512))
        .satisfies(failsWith(Code.FAILED_PRECONDITION, "TOKEN_OBJECT_UNFIT", "found", "40 bytes"));
    assertThat(macUnder(admin.adopt(label, HMAC_256))).isEqualTo(expectedMac());
  }

  @Test
  void keyThatIsRestrictedToAnotherMechanismIsRefused() {
    hsm.generateRestrictedKey(label, id, "SHA512-HMAC");
    requireUnfit(admin, label, HMAC_256, "CKA_ALLOWED_MECHANISMS");
    assertThatThrownBy(() -> admin.adopt(label, HMAC_256))
        .satisfies(
            failsWith(Code.FAILED_PRECONDITION, "TOKEN_OBJECT_UNFIT", "found", "CKM_SHA512_HMAC"));
    KeyMetadata adopted = admin.adopt(label, KeySpec.KEY_SPEC_HMAC_512);
    assertThat(
            admin.generateMac(adopted.getKeyId(), MESSAGE, MacAlgorithm.MAC_ALGORITHM_HMAC_SHA_512))
        .hasSize(64);
  }

  @Test
  void unknownLabelAndIdAreNotFound() {
    assertThatThrownBy(() -> admin.adopt(label, HMAC_256))
        .satisfies(failsWith(Code.NOT_FOUND, "TOKEN_OBJECT_NOT_FOUND"));
    assertThatThrownBy(() -> admin.adoptById(id, HMAC_256))
        .satisfies(failsWith(Code.NOT_FOUND, "TOKEN_OBJECT_NOT_FOUND"));
  }

  @Test
  void sharedLabelIsAmbiguousAndIdsAreUnique() {
    hsm.importKey(label, id, key);
    String otherId = SoftHsm.freshId();
    hsm.importKey(label, otherId, random(40));
    assertThatThrownBy(() -> admin.adopt(label, HMAC_256))
        .satisfies(failsWith(Code.FAILED_PRECONDITION, "TOKEN_OBJECT_AMBIGUOUS"));
    byte[] mac = macUnder(admin.adoptById(id, HMAC_256));
    byte[] otherMac = macUnder(admin.adoptById(otherId, HMAC_256));
    assertThat(mac).isEqualTo(expectedMac()).isNotEqualTo(otherMac);
  }

  @Test
  void sharedIdIsAmbiguousAndLabelsAreUnique() {
    hsm.importKey(label, id, key);
    String otherLabel = SoftHsm.freshLabel("other");
    hsm.importKey(otherLabel, id, random(40));
    assertThatThrownBy(() -> admin.adoptById(id, HMAC_256))
        .satisfies(failsWith(Code.FAILED_PRECONDITION, "TOKEN_OBJECT_AMBIGUOUS"));
    byte[] mac = macUnder(admin.adopt(label, HMAC_256));
    byte[] otherMac = macUnder(admin.adopt(otherLabel, HMAC_256));
    assertThat(mac).isEqualTo(expectedMac()).isNotEqualTo(otherMac);
  }

  @Test
  void adoptedObjectIsRefused() {
    hsm.importKey(label, id, key);
    var _ = admin.adopt(label, HMAC_256);
    assertThatThrownBy(() -> admin.adopt(label, HMAC_256))
        .satisfies(failsWith(Code.ALREADY_EXISTS, "TOKEN_OBJECT_TAKEN"));
    assertThatThrownBy(() -> admin.adoptById(id, KeySpec.KEY_SPEC_HMAC_224))
        .satisfies(failsWith(Code.ALREADY_EXISTS, "TOKEN_OBJECT_TAKEN"));
    TokenObject generated = admin.describe(admin.createKey(HMAC_256)).getTokenObject();
    assertThatThrownBy(() -> admin.adopt(generated.getLabel(), HMAC_256))
        .satisfies(failsWith(Code.ALREADY_EXISTS, "TOKEN_OBJECT_TAKEN"));
  }

  /// The CKA_ID of the probe key, in hex.
  private String probeId() {
    Matcher found =
        Pattern.compile("label: +" + PROBE + "\\s+ID: +(\\p{XDigit}+)").matcher(hsm.list());
    assertThat(found.find()).as("the probe key is on the token").isTrue();
    return found.group(1).toLowerCase(Locale.ROOT);
  }

  @Test
  void ownKeyCannotBeAdopted() {
    assertThatThrownBy(() -> admin.adopt(PROBE, HMAC_256))
        .satisfies(failsWith(Code.PERMISSION_DENIED, "TOKEN_OBJECT_RESERVED"));
    String probeId = probeId();
    assertThatThrownBy(() -> admin.adoptById(probeId, HMAC_256))
        .satisfies(failsWith(Code.PERMISSION_DENIED, "TOKEN_OBJECT_RESERVED"));
    // The answer does not reveal that another object has the probe key's id.
    hsm.importKey(label, probeId, key);
    try {
      assertThatThrownBy(() -> admin.adoptById(probeId, HMAC_256))
          .satisfies(failsWith(Code.PERMISSION_DENIED, "TOKEN_OBJECT_RESERVED"));
    } finally {
      hsm.delete(label);
    }
  }

  @Test
  void labelWithTheReservedPrefixCannotBeAdopted() {
    String reserved = "hmacd/own/" + label;
    hsm.importKey(reserved, id, key);
    assertThatThrownBy(() -> admin.adopt(reserved, HMAC_256))
        .satisfies(failsWith(Code.PERMISSION_DENIED, "TOKEN_OBJECT_RESERVED"));
    assertThatThrownBy(() -> admin.adoptById(id, HMAC_256))
        .satisfies(failsWith(Code.PERMISSION_DENIED, "TOKEN_OBJECT_RESERVED"));
  }

  @Test
  void ownKeyCannotBeNamed() {
    String probeId = probeId();
    for (String name :
        List.of(PROBE, probeId, probeId.toUpperCase(Locale.ROOT), "alias/aws/" + PROBE + " ")) {
      assertThatThrownBy(() -> admin.generateMac(name, "hello"))
          .as(name)
          .satisfies(failsWith(Code.INVALID_ARGUMENT, "INVALID_KEY_ID"));
    }
    String uuid = probeId.replaceFirst("(.{8})(.{4})(.{4})(.{4})(.{12})", "$1-$2-$3-$4-$5");
    assertThat(UUID.fromString(uuid)).hasToString(uuid);
    for (String name : List.of(uuid, "alias/" + PROBE, "alias/" + probeId)) {
      assertThatThrownBy(() -> admin.generateMac(name, "hello"))
          .as(name)
          .satisfies(failsWith(Code.NOT_FOUND, "KEY_NOT_FOUND"));
    }
    assertThat(admin.keys().listKeys(ListKeysRequest.getDefaultInstance()).getKeysList())
        .extracting(KeyListEntry::getKeyId)
        .isEmpty();
  }

  @Test
  void deniedAdoptionDoesNotRevealObjects() {
    hsm.importKey(label, id, key);
    Caller stranger = daemon.as("stranger");
    for (String name : List.of(label, PROBE, "no such label")) {
      assertThatThrownBy(() -> stranger.adopt(name, HMAC_256))
          .as(name)
          .satisfies(failsWith(Code.PERMISSION_DENIED, "ACCESS_DENIED"));
    }
  }

  @Test
  void adoptedKeyIsUsableAfterARestart() {
    hsm.importKey(label, id, key);
    KeyMetadata adopted = admin.adopt(label, HMAC_256);
    restart();
    assertThat(admin.describe(adopted.getKeyId())).isEqualTo(adopted);
    assertThat(macUnder(adopted)).isEqualTo(expectedMac());
    assertThatThrownBy(() -> admin.adopt(label, HMAC_256))
        .satisfies(failsWith(Code.ALREADY_EXISTS, "TOKEN_OBJECT_TAKEN"));
  }

  private void restart() {
    admin = daemon.restart().as("admin");
  }

  private void requireUnavailable(KeyMetadata adopted) {
    assertThatThrownBy(() -> macUnder(adopted))
        .satisfies(failsWith(Code.UNAVAILABLE, "KEY_UNAVAILABLE"));
    assertThatThrownBy(() -> admin.verifyMac(adopted.getKeyId(), MESSAGE, expectedMac(), SHA_256))
        .satisfies(failsWith(Code.UNAVAILABLE, "KEY_UNAVAILABLE"));
    assertThat(admin.describe(adopted.getKeyId()).getTokenObject())
        .isEqualTo(adopted.getTokenObject());
  }

  @Test
  void keyDestroyedOnTheTokenIsUnavailableAndStaysRegistered() {
    hsm.importKey(label, id, key);
    KeyMetadata adopted = admin.adopt(label, HMAC_256);
    hsm.delete(label);
    assertThat(hsm.list()).doesNotContain(label);
    restart();
    requireUnavailable(adopted);
    // After a restore from a backup, the key is usable again.
    hsm.importKey(label, id, key);
    assertThat(macUnder(adopted)).isEqualTo(expectedMac());
  }

  @ParameterizedTest(name = "replaced by a key with {0}")
  @CsvSource({"--sensitive --private --extractable", "--private", "--private --extractable"})
  void keyReplacedByAnExtractableOrNonSensitiveKeyIsNotUsed(String attributes) {
    hsm.importKey(label, id, key);
    KeyMetadata adopted = admin.adopt(label, HMAC_256);
    hsm.delete(label);
    hsm.importKey(label, id, key, attributes.split(" "));
    restart();
    requireUnavailable(adopted);
  }

  @Test
  void duplicateKeyIsUnavailable() {
    hsm.importKey(label, id, key);
    KeyMetadata adopted = admin.adopt(label, HMAC_256);
    hsm.importKey(label, id, random(40));
    restart();
    requireUnavailable(adopted);
  }

  @Test
  void keyWithTheSameLabelAndAnotherIdIsNotUsed() {
    hsm.importKey(label, id, key);
    KeyMetadata adopted = admin.adopt(label, HMAC_256);
    hsm.delete(label);
    hsm.importKey(label, SoftHsm.freshId(), key);
    restart();
    requireUnavailable(adopted);
  }
}

package dev.hmacd.client;

import com.google.protobuf.ByteString;
import com.google.protobuf.Timestamp;
import dev.hmacd.v1.DescribeKeyRequest;
import dev.hmacd.v1.GenerateMacRequest;
import dev.hmacd.v1.GenerateMacResponse;
import dev.hmacd.v1.GenerateRandomResponse;
import dev.hmacd.v1.VerifyMacRequest;
import dev.hmacd.v1.VerifyMacResponse;
import java.time.Instant;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.zip.CRC32C;

/// Converts the types of this library to the messages of the contract, and back.
final class Wire {
  private Wire() {}

  static GenerateMacRequest generateMac(
      String keyId,
      byte[] message,
      MacAlgorithm algorithm,
      List<String> grantTokens,
      boolean dryRun) {
    // The checksum is of the caller's array, not of the copy, so that it also detects an error of
    // the copying.
    return GenerateMacRequest.newBuilder()
        .setKeyId(keyId)
        .setMessageCrc32C(crc32c(message))
        .setMessage(ByteString.copyFrom(message))
        .setMacAlgorithm(macAlgorithm(algorithm))
        .addAllGrantTokens(grantTokens)
        .setDryRun(dryRun)
        .build();
  }

  static VerifyMacRequest verifyMac(
      String keyId,
      byte[] message,
      MacAlgorithm algorithm,
      byte[] mac,
      List<String> grantTokens,
      boolean dryRun) {
    return VerifyMacRequest.newBuilder()
        .setKeyId(keyId)
        .setMessageCrc32C(crc32c(message))
        .setMessage(ByteString.copyFrom(message))
        .setMacAlgorithm(macAlgorithm(algorithm))
        .setMacCrc32C(crc32c(mac))
        .setMac(ByteString.copyFrom(mac))
        .addAllGrantTokens(grantTokens)
        .setDryRun(dryRun)
        .build();
  }

  static DescribeKeyRequest describeKey(String keyId, List<String> grantTokens) {
    return DescribeKeyRequest.newBuilder().setKeyId(keyId).addAllGrantTokens(grantTokens).build();
  }

  /// @param algorithm that of the request
  static Mac mac(GenerateMacResponse answer, MacAlgorithm algorithm) {
    if (!answer.getVerifiedMessageCrc32C()) {
      throw damaged("the daemon did not check message_crc32c");
    }
    if (crc32c(answer.getMac().toByteArray()) != answer.getMacCrc32C()) {
      throw damaged("mac_crc32c does not match the MAC");
    }
    checkAlgorithm(answer.getMacAlgorithm(), algorithm);
    if (answer.getMac().size() != algorithm.macBytes()) {
      throw damaged("the MAC has another length than that of " + algorithm);
    }
    return new Mac(answer.getMac(), answer.getKeyId(), algorithm, answer.getKeyVersion());
  }

  /// @param algorithm that of the request
  static Verification verification(VerifyMacResponse answer, MacAlgorithm algorithm) {
    if (!answer.getVerifiedMessageCrc32C()) {
      throw damaged("the daemon did not check message_crc32c");
    }
    if (!answer.getVerifiedMacCrc32C()) {
      throw damaged("the daemon did not check mac_crc32c");
    }
    if (!answer.getMacValid()) { // A daemon reports a wrong MAC as an error.
      throw damaged("the answer has mac_valid false");
    }
    checkAlgorithm(answer.getMacAlgorithm(), algorithm);
    return new Verification(answer.getKeyId(), algorithm, answer.getKeyVersion());
  }

  private static void checkAlgorithm(dev.hmacd.v1.MacAlgorithm answered, MacAlgorithm requested) {
    if (macAlgorithm(answered) != requested) {
      throw damaged("mac_algorithm is not that of the request");
    }
  }

  /// @param numberOfBytes the requested number
  static byte[] random(GenerateRandomResponse answer, int numberOfBytes) {
    byte[] random = answer.getPlaintext().toByteArray();
    if (crc32c(random) != answer.getPlaintextCrc32C() || random.length != numberOfBytes) {
      throw damaged("the random bytes do not match plaintext_crc32c or the requested number");
    }
    return random;
  }

  static KeyMetadata keyMetadata(dev.hmacd.v1.KeyMetadata key) {
    return new KeyMetadata(
        key.getKeyId(),
        key.getKeyArn(),
        instant(key.getCreationTime()),
        key.getDescription(),
        switch (key.getKeyState()) {
          case KEY_STATE_CREATING -> KeyState.CREATING;
          case KEY_STATE_ENABLED -> KeyState.ENABLED;
          case KEY_STATE_DISABLED -> KeyState.DISABLED;
          case KEY_STATE_PENDING_DELETION -> KeyState.PENDING_DELETION;
          case KEY_STATE_UNAVAILABLE -> KeyState.UNAVAILABLE;
          case KEY_STATE_UNSPECIFIED, UNRECOGNIZED -> KeyState.UNKNOWN;
        },
        switch (key.getKeySpec()) {
          case KEY_SPEC_HMAC_224 -> KeySpec.HMAC_224;
          case KEY_SPEC_HMAC_256 -> KeySpec.HMAC_256;
          case KEY_SPEC_HMAC_384 -> KeySpec.HMAC_384;
          case KEY_SPEC_HMAC_512 -> KeySpec.HMAC_512;
          case KEY_SPEC_UNSPECIFIED, UNRECOGNIZED -> KeySpec.UNKNOWN;
        },
        key.getMacAlgorithmsList().stream().map(Wire::macAlgorithm).toList(),
        switch (key.getOrigin()) {
          case KEY_ORIGIN_GENERATED -> KeyOrigin.GENERATED;
          case KEY_ORIGIN_ADOPTED -> KeyOrigin.ADOPTED;
          case KEY_ORIGIN_UNSPECIFIED, UNRECOGNIZED -> KeyOrigin.UNKNOWN;
        },
        key.getCurrentKeyVersion(),
        tokenObject(key.getTokenObject()),
        key.hasDeletionTime() ? Optional.of(instant(key.getDeletionTime())) : Optional.empty());
  }

  static List<dev.hmacd.v1.Tag> tags(List<Tag> tags) {
    return tags.stream()
        .map(
            tag ->
                dev.hmacd.v1.Tag.newBuilder().setTagKey(tag.key()).setTagValue(tag.value()).build())
        .toList();
  }

  static Tag tag(dev.hmacd.v1.Tag tag) {
    return new Tag(tag.getTagKey(), tag.getTagValue());
  }

  static AccessKeyMetadata accessKey(dev.hmacd.v1.AccessKeyMetadata key) {
    return new AccessKeyMetadata(
        key.getAccessKeyId(), key.getPrincipal(), instant(key.getCreationTime()), key.getActive());
  }

  static KeyListEntry keyListEntry(dev.hmacd.v1.KeyListEntry key) {
    return new KeyListEntry(key.getKeyId(), key.getKeyArn());
  }

  static AliasListEntry aliasListEntry(dev.hmacd.v1.AliasListEntry alias) {
    return new AliasListEntry(
        alias.getAliasName(),
        alias.getAliasArn(),
        alias.getTargetKeyId(),
        instant(alias.getCreationTime()),
        instant(alias.getLastUpdatedTime()));
  }

  static dev.hmacd.v1.KeySpec keySpec(KeySpec spec) {
    return switch (spec) {
      case HMAC_224 -> dev.hmacd.v1.KeySpec.KEY_SPEC_HMAC_224;
      case HMAC_256 -> dev.hmacd.v1.KeySpec.KEY_SPEC_HMAC_256;
      case HMAC_384 -> dev.hmacd.v1.KeySpec.KEY_SPEC_HMAC_384;
      case HMAC_512 -> dev.hmacd.v1.KeySpec.KEY_SPEC_HMAC_512;
      case UNKNOWN -> throw new IllegalArgumentException("KeySpec.UNKNOWN must not be an argument");
    };
  }

  private static dev.hmacd.v1.MacAlgorithm macAlgorithm(MacAlgorithm algorithm) {
    return switch (algorithm) {
      case HMAC_SHA_224 -> dev.hmacd.v1.MacAlgorithm.MAC_ALGORITHM_HMAC_SHA_224;
      case HMAC_SHA_256 -> dev.hmacd.v1.MacAlgorithm.MAC_ALGORITHM_HMAC_SHA_256;
      case HMAC_SHA_384 -> dev.hmacd.v1.MacAlgorithm.MAC_ALGORITHM_HMAC_SHA_384;
      case HMAC_SHA_512 -> dev.hmacd.v1.MacAlgorithm.MAC_ALGORITHM_HMAC_SHA_512;
      case UNKNOWN ->
          throw new IllegalArgumentException("MacAlgorithm.UNKNOWN must not be an argument");
    };
  }

  private static MacAlgorithm macAlgorithm(dev.hmacd.v1.MacAlgorithm algorithm) {
    return switch (algorithm) {
      case MAC_ALGORITHM_HMAC_SHA_224 -> MacAlgorithm.HMAC_SHA_224;
      case MAC_ALGORITHM_HMAC_SHA_256 -> MacAlgorithm.HMAC_SHA_256;
      case MAC_ALGORITHM_HMAC_SHA_384 -> MacAlgorithm.HMAC_SHA_384;
      case MAC_ALGORITHM_HMAC_SHA_512 -> MacAlgorithm.HMAC_SHA_512;
      case MAC_ALGORITHM_UNSPECIFIED, UNRECOGNIZED -> MacAlgorithm.UNKNOWN;
    };
  }

  private static TokenObject tokenObject(dev.hmacd.v1.TokenObject object) {
    return new TokenObject(
        object.getTokenSerial(),
        object.getLabel(),
        HexFormat.of().formatHex(object.getId().toByteArray()),
        object.hasSensitive() ? Optional.of(object.getSensitive()) : Optional.empty(),
        object.hasExtractable() ? Optional.of(object.getExtractable()) : Optional.empty(),
        object.hasAlwaysSensitive() ? Optional.of(object.getAlwaysSensitive()) : Optional.empty(),
        object.hasNeverExtractable() ? Optional.of(object.getNeverExtractable()) : Optional.empty(),
        object.hasLocal() ? Optional.of(object.getLocal()) : Optional.empty(),
        object.hasKeyBytes() ? OptionalInt.of(object.getKeyBytes()) : OptionalInt.empty(),
        object.getOtherTokenSerialsList());
  }

  private static Instant instant(Timestamp time) {
    return Instant.ofEpochSecond(time.getSeconds(), time.getNanos());
  }

  /// CRC32C (Castagnoli, RFC 3720), as a proto `fixed32`.
  private static int crc32c(byte[] bytes) {
    var sum = new CRC32C();
    sum.update(bytes);
    return (int) sum.getValue();
  }

  private static DamagedAnswerException damaged(String what) {
    return new DamagedAnswerException(what);
  }
}

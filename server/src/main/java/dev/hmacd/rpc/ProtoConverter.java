package dev.hmacd.rpc;

import com.google.protobuf.ByteString;
import com.google.protobuf.Timestamp;
import dev.hmacd.key.AccessKey;
import dev.hmacd.key.AliasEntry;
import dev.hmacd.key.ArnScope;
import dev.hmacd.key.Key;
import dev.hmacd.key.KeyAttributes;
import dev.hmacd.key.KeyOrigin;
import dev.hmacd.key.KeyState;
import dev.hmacd.usecase.Failure;
import dev.hmacd.usecase.FieldValidation;
import dev.hmacd.usecase.Refusal;
import dev.hmacd.v1.AccessKeyMetadata;
import dev.hmacd.v1.AliasListEntry;
import dev.hmacd.v1.KeyMetadata;
import dev.hmacd.v1.KeySpec;
import dev.hmacd.v1.MacAlgorithm;
import dev.hmacd.v1.Tag;
import dev.hmacd.v1.TokenObject;
import java.time.Instant;
import java.util.List;

/// Converts protobuf messages and enums to values of the domain, and back.
final class ProtoConverter {
  private ProtoConverter() {}

  /// @throws Refusal if the algorithm is unspecified or unknown
  static dev.hmacd.key.MacAlgorithm algorithm(MacAlgorithm value) {
    return switch (value) {
      case MAC_ALGORITHM_HMAC_SHA_224 -> dev.hmacd.key.MacAlgorithm.HMAC_SHA_224;
      case MAC_ALGORITHM_HMAC_SHA_256 -> dev.hmacd.key.MacAlgorithm.HMAC_SHA_256;
      case MAC_ALGORITHM_HMAC_SHA_384 -> dev.hmacd.key.MacAlgorithm.HMAC_SHA_384;
      case MAC_ALGORITHM_HMAC_SHA_512 -> dev.hmacd.key.MacAlgorithm.HMAC_SHA_512;
      case MAC_ALGORITHM_UNSPECIFIED, UNRECOGNIZED ->
          throw refuseEnum(
              "mac_algorithm", "must be HMAC_SHA_224, HMAC_SHA_256, HMAC_SHA_384 or HMAC_SHA_512");
    };
  }

  static MacAlgorithm algorithm(dev.hmacd.key.MacAlgorithm value) {
    return switch (value) {
      case HMAC_SHA_224 -> MacAlgorithm.MAC_ALGORITHM_HMAC_SHA_224;
      case HMAC_SHA_256 -> MacAlgorithm.MAC_ALGORITHM_HMAC_SHA_256;
      case HMAC_SHA_384 -> MacAlgorithm.MAC_ALGORITHM_HMAC_SHA_384;
      case HMAC_SHA_512 -> MacAlgorithm.MAC_ALGORITHM_HMAC_SHA_512;
    };
  }

  /// @throws Refusal if the key spec is unspecified or unknown
  static dev.hmacd.key.KeySpec spec(KeySpec value) {
    return switch (value) {
      case KEY_SPEC_HMAC_224 -> dev.hmacd.key.KeySpec.HMAC_224;
      case KEY_SPEC_HMAC_256 -> dev.hmacd.key.KeySpec.HMAC_256;
      case KEY_SPEC_HMAC_384 -> dev.hmacd.key.KeySpec.HMAC_384;
      case KEY_SPEC_HMAC_512 -> dev.hmacd.key.KeySpec.HMAC_512;
      case KEY_SPEC_UNSPECIFIED, UNRECOGNIZED ->
          throw refuseEnum("key_spec", "must be HMAC_224, HMAC_256, HMAC_384 or HMAC_512");
    };
  }

  private static KeySpec spec(dev.hmacd.key.KeySpec value) {
    return switch (value) {
      case HMAC_224 -> KeySpec.KEY_SPEC_HMAC_224;
      case HMAC_256 -> KeySpec.KEY_SPEC_HMAC_256;
      case HMAC_384 -> KeySpec.KEY_SPEC_HMAC_384;
      case HMAC_512 -> KeySpec.KEY_SPEC_HMAC_512;
    };
  }

  private static Refusal refuseEnum(String field, String rule) {
    return new Refusal(new Failure.InvalidField(field, rule));
  }

  private static dev.hmacd.v1.KeyState state(KeyState value) {
    return switch (value) {
      case CREATING -> dev.hmacd.v1.KeyState.KEY_STATE_CREATING;
      case ENABLED -> dev.hmacd.v1.KeyState.KEY_STATE_ENABLED;
      case DISABLED -> dev.hmacd.v1.KeyState.KEY_STATE_DISABLED;
      case PENDING_DELETION -> dev.hmacd.v1.KeyState.KEY_STATE_PENDING_DELETION;
      case UNAVAILABLE -> dev.hmacd.v1.KeyState.KEY_STATE_UNAVAILABLE;
    };
  }

  private static dev.hmacd.v1.KeyOrigin origin(KeyOrigin value) {
    return switch (value) {
      case GENERATED -> dev.hmacd.v1.KeyOrigin.KEY_ORIGIN_GENERATED;
      case ADOPTED -> dev.hmacd.v1.KeyOrigin.KEY_ORIGIN_ADOPTED;
    };
  }

  static KeyMetadata metadata(Key key, ArnScope scope) {
    var metadata = KeyMetadata.newBuilder();
    Instant deletion = key.deletion();
    if (deletion != null) {
      metadata.setDeletionTime(timestamp(deletion));
    }
    return metadata
        .setKeyId(key.id().value())
        .setKeyArn(scope.keyArn(key.id()))
        .setCreationTime(timestamp(key.created()))
        .setDescription(key.description())
        .setKeyState(state(key.state()))
        .setKeySpec(spec(key.spec()))
        .addMacAlgorithms(algorithm(key.spec().algorithm()))
        .setOrigin(origin(key.origin()))
        .setCurrentKeyVersion(key.currentVersion().number())
        .setTokenObject(tokenObject(key))
        .build();
  }

  private static TokenObject tokenObject(Key key) {
    var object =
        TokenObject.newBuilder()
            .setTokenSerial(key.tokenSerial())
            .addAllOtherTokenSerials(key.otherTokenSerials())
            .setLabel(key.object().label())
            .setId(ByteString.copyFrom(key.object().id()));
    KeyAttributes read = key.attributes();
    if (read != null) {
      Boolean sensitive = read.sensitive();
      if (sensitive != null) {
        object.setSensitive(sensitive);
      }
      Boolean extractable = read.extractable();
      if (extractable != null) {
        object.setExtractable(extractable);
      }
      Boolean always = read.alwaysSensitive();
      if (always != null) {
        object.setAlwaysSensitive(always);
      }
      Boolean never = read.neverExtractable();
      if (never != null) {
        object.setNeverExtractable(never);
      }
      Boolean local = read.local();
      if (local != null) {
        object.setLocal(local);
      }
      Integer bytes = read.keyBytes();
      if (bytes != null && bytes > 0) {
        object.setKeyBytes(bytes);
      }
    }
    return object.build();
  }

  static AliasListEntry alias(AliasEntry entry, ArnScope scope) {
    return AliasListEntry.newBuilder()
        .setAliasName(entry.alias().name())
        .setAliasArn(scope.aliasArn(entry.alias()))
        .setTargetKeyId(entry.target().value())
        .setCreationTime(timestamp(entry.created()))
        .setLastUpdatedTime(timestamp(entry.updated()))
        .build();
  }

  /// @throws Refusal if a tag does not have the form that AWS KMS requires
  static List<dev.hmacd.key.Tag> tags(List<Tag> tags) {
    return tags.stream()
        .map(tag -> FieldValidation.tag(tag.getTagKey(), tag.getTagValue()))
        .toList();
  }

  static Tag tag(dev.hmacd.key.Tag tag) {
    return Tag.newBuilder().setTagKey(tag.key()).setTagValue(tag.value()).build();
  }

  static AccessKeyMetadata accessKey(AccessKey key) {
    return AccessKeyMetadata.newBuilder()
        .setAccessKeyId(key.id())
        .setPrincipal(key.principal())
        .setCreationTime(timestamp(key.created()))
        .setActive(key.active())
        .build();
  }

  private static Timestamp timestamp(Instant instant) {
    return Timestamp.newBuilder()
        .setSeconds(instant.getEpochSecond())
        .setNanos(instant.getNano())
        .build();
  }
}

package dev.hmacd.ctl;

import dev.hmacd.client.AccessKeyMetadata;
import dev.hmacd.client.AliasListEntry;
import dev.hmacd.client.CreatedAccessKey;
import dev.hmacd.client.HealthStatus;
import dev.hmacd.client.KeyListEntry;
import dev.hmacd.client.KeyMetadata;
import dev.hmacd.client.KeyState;
import dev.hmacd.client.Mac;
import dev.hmacd.client.MacAlgorithm;
import dev.hmacd.client.Tag;
import dev.hmacd.client.TokenObject;
import dev.hmacd.client.Verification;
import java.util.Base64;
import java.util.List;

/// Converts the results of [dev.hmacd.client.HmacdClient] to output values ([Value]). A member that
/// AWS also has, has AWS's name.
final class Answers {
  private Answers() {}

  static Value mac(Mac mac) {
    return mac(mac.keyArn(), mac.toByteArray(), mac.macAlgorithm(), mac.keyVersion());
  }

  static Value mac(String keyArn, byte[] mac, MacAlgorithm algorithm, int keyVersion) {
    return Value.Members.none()
        .with("KeyId", keyArn)
        .with("Mac", Base64.getEncoder().encodeToString(mac))
        .with("MacAlgorithm", algorithm.name())
        .with("KeyVersion", keyVersion);
  }

  static Value verification(Verification verification) {
    return Value.Members.none()
        .with("KeyId", verification.keyArn())
        .with("MacValid", true)
        .with("MacAlgorithm", verification.macAlgorithm().name())
        .with("KeyVersion", verification.keyVersion());
  }

  static Value random(byte[] bytes) {
    return Value.Members.none().with("Plaintext", Base64.getEncoder().encodeToString(bytes));
  }

  /// @param service name of a service; empty for the whole daemon
  static Value health(String service, HealthStatus status) {
    Value.Members health = Value.Members.none().with("Status", status.name());
    return service.isEmpty() ? health : health.with("Service", service);
  }

  static Value key(KeyMetadata key) {
    Value.Members metadata =
        Value.Members.none()
            .with("KeyId", key.keyId())
            .with("Arn", key.keyArn())
            .with("CreationDate", key.creationTime().toString())
            .with("Description", key.description())
            .with("KeyState", keyState(key.keyState()));
    if (key.deletionTime().isPresent()) {
      metadata = metadata.with("DeletionDate", key.deletionTime().get().toString());
    }
    return Value.Members.none()
        .with(
            "KeyMetadata",
            metadata
                .with("KeySpec", key.keySpec().name())
                .with(
                    "MacAlgorithms",
                    new Value.Items(
                        key.macAlgorithms().stream()
                            .<Value>map(algorithm -> new Value.Scalar(algorithm.name()))
                            .toList()))
                .with("Origin", key.origin().name())
                .with("CurrentKeyVersion", key.currentKeyVersion())
                .with("TokenObject", tokenObject(key.tokenObject())));
  }

  static Value tag(Tag tag) {
    return Value.Members.none().with("TagKey", tag.key()).with("TagValue", tag.value());
  }

  static Value.Members accessKey(AccessKeyMetadata key) {
    return Value.Members.none()
        .with("AccessKeyId", key.accessKeyId())
        .with("Principal", key.principal())
        .with("Status", key.active() ? "Active" : "Inactive")
        .with("CreateDate", key.creationTime().toString());
  }

  static Value created(CreatedAccessKey made) {
    return Value.Members.none()
        .with(
            "AccessKey",
            accessKey(made.accessKey()).with("SecretAccessKey", made.secretAccessKey()));
  }

  static Value keyListEntry(KeyListEntry key) {
    return Value.Members.none().with("KeyId", key.keyId()).with("KeyArn", key.keyArn());
  }

  static Value aliasListEntry(AliasListEntry alias) {
    return Value.Members.none()
        .with("AliasName", alias.aliasName())
        .with("AliasArn", alias.aliasArn())
        .with("TargetKeyId", alias.targetKeyId())
        .with("CreationDate", alias.creationTime().toString())
        .with("LastUpdatedDate", alias.lastUpdatedTime().toString());
  }

  /// The output value of a list. An incomplete list has the token of the next page.
  static Value list(String name, List<Value> items, String nextToken) {
    Value.Members list = Value.Members.none().with(name, new Value.Items(items));
    return nextToken.isEmpty() ? list : list.with("NextToken", nextToken);
  }

  private static Value tokenObject(TokenObject object) {
    Value.Members value =
        Value.Members.none()
            .with("TokenSerial", object.tokenSerial())
            .with("Label", object.label())
            .with("Id", object.idHex());
    if (object.sensitive().isPresent()) {
      value = value.with("Sensitive", object.sensitive().get());
    }
    if (object.extractable().isPresent()) {
      value = value.with("Extractable", object.extractable().get());
    }
    if (object.alwaysSensitive().isPresent()) {
      value = value.with("AlwaysSensitive", object.alwaysSensitive().get());
    }
    if (object.neverExtractable().isPresent()) {
      value = value.with("NeverExtractable", object.neverExtractable().get());
    }
    if (object.local().isPresent()) {
      value = value.with("Local", object.local().get());
    }
    if (object.keyBytes().isPresent()) {
      value = value.with("KeyBytes", object.keyBytes().getAsInt());
    }
    if (!object.otherTokenSerials().isEmpty()) {
      value =
          value.with(
              "OtherTokenSerials",
              new Value.Items(
                  object.otherTokenSerials().stream().<Value>map(Value.Scalar::new).toList()));
    }
    return value;
  }

  /// The key state in AWS's spelling.
  private static String keyState(KeyState state) {
    return switch (state) {
      case CREATING -> "Creating";
      case ENABLED -> "Enabled";
      case DISABLED -> "Disabled";
      case PENDING_DELETION -> "PendingDeletion";
      case UNAVAILABLE -> "Unavailable";
      case UNKNOWN -> "Unknown";
    };
  }
}

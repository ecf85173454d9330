package dev.hmacd.ctl;

import dev.hmacd.client.AccessKeyMetadata;
import dev.hmacd.client.AliasListEntry;
import dev.hmacd.client.CreatedAccessKey;
import dev.hmacd.client.HealthStatus;
import dev.hmacd.client.KeyListEntry;
import dev.hmacd.client.KeyMetadata;
import dev.hmacd.client.KeyOrigin;
import dev.hmacd.client.KeySpec;
import dev.hmacd.client.KeyState;
import dev.hmacd.client.MacAlgorithm;
import dev.hmacd.client.Tag;
import dev.hmacd.client.TokenObject;
import dev.hmacd.client.Verification;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;

/// An answer of each kind with every member that such an answer can have. The values have no
/// meaning.
///
/// A query is checked against the example before the call to the daemon, so that a wrong name does
/// not change a key, or lose the secret of an access key.
final class Examples {
  private static final AccessKeyMetadata ACCESS_KEY =
      new AccessKeyMetadata("", "", Instant.EPOCH, true);

  private Examples() {}

  /// The answer of a command without output.
  static Value none() {
    return Value.Members.none();
  }

  static Value mac() {
    return Answers.mac("", new byte[0], MacAlgorithm.HMAC_SHA_256, 1);
  }

  static Value verification() {
    return Answers.verification(new Verification("", MacAlgorithm.HMAC_SHA_256, 1));
  }

  static Value random() {
    return Answers.random(new byte[0]);
  }

  static Value health() {
    return Answers.health("hmacd.v1.MacService", HealthStatus.SERVING);
  }

  static Value key() {
    return Answers.key(
        new KeyMetadata(
            "",
            "",
            Instant.EPOCH,
            "",
            KeyState.ENABLED,
            KeySpec.HMAC_256,
            List.of(MacAlgorithm.HMAC_SHA_256),
            KeyOrigin.GENERATED,
            1,
            new TokenObject(
                "",
                "",
                "",
                Optional.of(true),
                Optional.of(true),
                Optional.of(true),
                Optional.of(true),
                Optional.of(true),
                OptionalInt.of(1),
                List.of("")),
            Optional.of(Instant.EPOCH)));
  }

  static Value keys() {
    return list("Keys", Answers.keyListEntry(new KeyListEntry("", "")));
  }

  static Value aliases() {
    return list(
        "Aliases",
        Answers.aliasListEntry(new AliasListEntry("", "", "", Instant.EPOCH, Instant.EPOCH)));
  }

  static Value tags() {
    return list("Tags", Answers.tag(new Tag("", "")));
  }

  static Value accessKeys() {
    return list("AccessKeys", Answers.accessKey(ACCESS_KEY));
  }

  static Value createdAccessKey() {
    return Answers.created(new CreatedAccessKey(ACCESS_KEY, ""));
  }

  private static Value list(String name, Value item) {
    return Answers.list(name, List.of(item), "token");
  }
}

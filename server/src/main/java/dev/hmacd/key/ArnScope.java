package dev.hmacd.key;

/// The partition, region and account in all ARNs of one registry. The scope is fixed after the
/// creation of the first key.
///
/// @param partition e.g. `aws`
/// @param region e.g. `eu-central-1`
/// @param account 12 digits
public record ArnScope(String partition, String region, String account) {
  public ArnScope {
    if (!partition.matches("[a-z][a-z-]{0,31}")) {
      throw new IllegalArgumentException(
          "a partition must have 1 to 32 lowercase letters or dashes, and start with a letter");
    }
    if (!region.matches("[a-z][a-z0-9-]{0,63}")) {
      throw new IllegalArgumentException(
          "a region must have 1 to 64 lowercase letters, digits or dashes, and start with a letter");
    }
    if (!account.matches("[0-9]{12}")) {
      throw new IllegalArgumentException("an account must have 12 digits");
    }
  }

  public String keyArn(KeyId key) {
    return prefix() + "key/" + key.value();
  }

  public String aliasArn(Alias alias) {
    return prefix() + alias.name();
  }

  /// The prefix of every ARN of this scope.
  public String prefix() {
    return "arn:" + partition + ":kms:" + region + ":" + account + ":";
  }
}

package dev.hmacd.access;

import java.util.Optional;

/// An action that a rule can allow. Actions of AWS KMS have the same names as in AWS KMS.
public enum Action {
  GENERATE_MAC("GenerateMac", true),
  VERIFY_MAC("VerifyMac", true),
  DESCRIBE_KEY("DescribeKey", true),
  LIST_KEYS("ListKeys", false),
  CREATE_KEY("CreateKey", false),
  ADOPT_KEY("AdoptKey", false),
  CREATE_ALIAS("CreateAlias", false),
  UPDATE_ALIAS("UpdateAlias", false),
  DELETE_ALIAS("DeleteAlias", false),
  LIST_ALIASES("ListAliases", false),
  ENABLE_KEY("EnableKey", true),
  DISABLE_KEY("DisableKey", true),
  SCHEDULE_KEY_DELETION("ScheduleKeyDeletion", true),
  CANCEL_KEY_DELETION("CancelKeyDeletion", true),
  UPDATE_KEY_DESCRIPTION("UpdateKeyDescription", true),
  TAG_RESOURCE("TagResource", true),
  UNTAG_RESOURCE("UntagResource", true),
  LIST_RESOURCE_TAGS("ListResourceTags", true),
  GET_KEY_ROTATION_STATUS("GetKeyRotationStatus", true),
  GET_KEY_POLICY("GetKeyPolicy", true),
  LIST_KEY_POLICIES("ListKeyPolicies", true),
  GENERATE_RANDOM("GenerateRandom", false),
  CREATE_ACCESS_KEY("CreateAccessKey", false),
  LIST_ACCESS_KEYS("ListAccessKeys", false),
  DISABLE_ACCESS_KEY("DisableAccessKey", false),
  DELETE_ACCESS_KEY("DeleteAccessKey", false);

  private final String text;
  private final boolean forOneKey;

  Action(String text, boolean forOneKey) {
    this.text = text;
    this.forOneKey = forOneKey;
  }

  /// Whether a rule can allow the action for some keys only. All other actions concern no single
  /// existing key, or change or list aliases. A rule can name keys by alias, so a principal that
  /// moves aliases controls which keys a rule covers. A principal that moves aliases must be
  /// trusted with all keys.
  public boolean isForOneKey() {
    return forOneKey;
  }

  /// The action with this name; empty if no action has the name.
  public static Optional<Action> named(String name) {
    for (Action action : values()) {
      if (action.text.equals(name)) {
        return Optional.of(action);
      }
    }
    return Optional.empty();
  }

  /// The name of the action in rules, errors and logs.
  @Override
  public String toString() {
    return text;
  }
}

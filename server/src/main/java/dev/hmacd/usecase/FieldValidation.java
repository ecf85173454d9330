package dev.hmacd.usecase;

import dev.hmacd.key.Alias;
import dev.hmacd.key.Tag;
import java.util.List;

/// Limits of the fields of a request, for all edges (AWS KMS API reference, "Length Constraints").
///
/// The use cases check all limits. An edge repeats a check only if it has another error for it,
/// such as the error text of AWS. Characters are Unicode code points, not UTF-16 code units.
public final class FieldValidation {
  static final int MAX_KEY_ID_CHARS = 2048;

  static final int MAX_DESCRIPTION_CHARS = 8192;

  /// Maximum length of an access key id, as in AWS (IAM, `accessKeyIdType`).
  public static final int MAX_ACCESS_KEY_ID_CHARS = 128;

  /// Maximum length of CKA_LABEL and CKA_ID of an object to adopt.
  public static final int MAX_OBJECT_NAME_BYTES = 256;

  private FieldValidation() {}

  static void keyId(String field, String value) {
    length(field, length(value), 1, MAX_KEY_ID_CHARS, "characters");
  }

  static void accessKeyId(String value) {
    text("access_key_id", value, 1, MAX_ACCESS_KEY_ID_CHARS);
  }

  static void description(String value) {
    text("description", value, 0, MAX_DESCRIPTION_CHARS);
  }

  /// Returns a tag with this key and value.
  ///
  /// @throws Refusal [Failure.InvalidField] if the key is empty, or the key or the value is too
  ///   long
  public static Tag tag(String key, String value) {
    text("tag_key", key, 1, Tag.MAX_KEY_LENGTH);
    text("tag_value", value, 0, Tag.MAX_VALUE_LENGTH);
    return new Tag(key, value);
  }

  /// Checks the keys of tags to remove.
  static void tagKeys(List<String> keys) {
    for (String key : keys) {
      text("tag_keys", key, 1, Tag.MAX_KEY_LENGTH);
    }
  }

  private static int length(String text) {
    return text.codePointCount(0, text.length());
  }

  /// Requires that the length of a text is within limits.
  ///
  /// @param min minimum in characters
  /// @param max maximum in characters
  public static void text(String field, String value, int min, int max) {
    length(field, length(value), min, max, "characters");
  }

  /// Requires that the length of the message of a MAC is within limits. Another failure than for
  /// other fields: the maximum is a setting of the daemon, and a client can act upon it.
  static void message(int length, int max) {
    if (length > max) {
      throw new Refusal(new Failure.MessageTooLong(length, max));
    }
    require(length > 0, "message", "must have 1 byte or more");
  }

  static void bytes(String field, int length, int max) {
    length(field, length, 1, max, "bytes");
  }

  private static void length(String field, int length, int min, int max, String unit) {
    if (length < min || length > max) {
      throw new Refusal(
          new Failure.InvalidField(
              field, "length must be " + min + " to " + max + " " + unit, length + " " + unit));
    }
  }

  /// Requires that the number of elements of a list is within limits.
  ///
  /// @throws Refusal [Failure.InvalidField] if the list is empty, or has more than `max` elements
  public static void elements(String field, int count, int max) {
    if (count < 1 || count > max) {
      throw new Refusal(
          new Failure.InvalidField(
              field, "must have 1 to " + max + " elements", count + " elements"));
    }
  }

  /// Requires that a number is within limits.
  ///
  /// @throws Refusal [Failure.InvalidField] if the number is less than `min` or greater than `max`
  public static void range(String field, int number, int min, int max) {
    if (number < min || number > max) {
      throw new Refusal(
          new Failure.InvalidField(
              field, "must be " + min + " to " + max, Integer.toString(number)));
    }
  }

  static Alias alias(String field, String value) {
    require(value.startsWith(Alias.PREFIX), field, "must start with alias/");
    require(Alias.FORM.matcher(value).matches(), field, "must match " + Alias.FORM);
    Alias alias = new Alias(value);
    require(!alias.isReserved(), field, "must not start with alias/aws/, which is reserved");
    return alias;
  }

  /// Requires that a field satisfies a rule.
  ///
  /// @throws Refusal [Failure.InvalidField] if `holds` is false
  public static void require(boolean holds, String field, String rule) {
    if (!holds) {
      throw invalid(field, rule);
    }
  }

  private static Refusal invalid(String field, String rule) {
    return new Refusal(new Failure.InvalidField(field, rule));
  }
}

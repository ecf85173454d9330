package dev.hmacd.usecase;

import dev.hmacd.key.Alias;

/// Validation of fields for all edges (AWS KMS API reference, "Length Constraints").
public final class FieldValidation {
  public static final int MAX_KEY_ID_CHARS = 2048;

  /// Maximum length of a description in Unicode code points, not in UTF-16 code units.
  public static final int MAX_DESCRIPTION_CHARS = 8192;

  public static final int MAX_OBJECT_NAME_BYTES = 256;

  private FieldValidation() {}

  static void keyId(String field, String value) {
    require(
        !value.isEmpty() && value.length() <= MAX_KEY_ID_CHARS,
        field,
        "length must be 1 to " + MAX_KEY_ID_CHARS + " characters");
  }

  static void description(String value) {
    text("description", value, 0, MAX_DESCRIPTION_CHARS);
  }

  /// Requires that the length of a text is within limits.
  ///
  /// @param min minimum in Unicode code points
  /// @param max maximum in Unicode code points
  public static void text(String field, String value, int min, int max) {
    int length = value.codePointCount(0, value.length());
    require(
        length >= min && length <= max,
        field,
        "length must be " + min + " to " + max + " characters");
  }

  static void bytes(String field, int length, int max) {
    require(length >= 1 && length <= max, field, "length must be 1 to " + max + " bytes");
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
      throw new Refusal(new Failure.InvalidField(field, rule));
    }
  }
}

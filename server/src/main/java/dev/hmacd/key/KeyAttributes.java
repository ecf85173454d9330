package dev.hmacd.key;

import java.util.Optional;
import org.jspecify.annotations.Nullable;

/// What a token says of a secret key (PKCS #11 v3.1, sections 4.9 and 4.11). An attribute that the
/// token does not tell is null.
///
/// @param keyBytes CKA_VALUE_LEN; some tokens say 0 for an imported key
public record KeyAttributes(
    @Nullable Boolean sensitive,
    @Nullable Boolean extractable,
    @Nullable Boolean sign,
    @Nullable Boolean alwaysSensitive,
    @Nullable Boolean neverExtractable,
    @Nullable Boolean local,
    @Nullable Integer keyBytes) {

  /// Why an object is not fit to be a key.
  ///
  /// @param attribute the PKCS#11 name of the attribute, e.g. `CKA_SENSITIVE`
  /// @param rule what it must be, e.g. `must be true`
  public record Unfit(String attribute, String rule) {}

  /// The first rule that the object breaks. An attribute that decides and that the token does not
  /// tell counts as broken. The three that tell the past (CKA_ALWAYS_SENSITIVE,
  /// CKA_NEVER_EXTRACTABLE, CKA_LOCAL) are reported and not required: they are false on anything
  /// imported.
  public Optional<Unfit> unfit() {
    if (!Boolean.TRUE.equals(sensitive)) {
      return Optional.of(new Unfit("CKA_SENSITIVE", "must be true"));
    }
    if (!Boolean.FALSE.equals(extractable)) {
      return Optional.of(new Unfit("CKA_EXTRACTABLE", "must be false"));
    }
    if (!Boolean.TRUE.equals(sign)) {
      return Optional.of(new Unfit("CKA_SIGN", "must be true"));
    }
    return Optional.empty();
  }
}

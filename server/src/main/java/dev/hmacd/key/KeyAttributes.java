package dev.hmacd.key;

import java.util.Optional;
import org.jspecify.annotations.Nullable;

/// Attributes of a secret key on a token (PKCS #11 v3.1, sections 4.9 and 4.11). An attribute is
/// null if the token does not report it.
///
/// @param keyBytes length of the key in bytes (CKA_VALUE_LEN); some tokens report 0 for an imported
///   key
public record KeyAttributes(
    @Nullable Boolean sensitive,
    @Nullable Boolean extractable,
    @Nullable Boolean sign,
    @Nullable Boolean alwaysSensitive,
    @Nullable Boolean neverExtractable,
    @Nullable Boolean local,
    @Nullable Integer keyBytes) {

  /// A broken rule for an attribute: the object cannot be used as a key.
  ///
  /// @param attribute the PKCS#11 name of the attribute, e.g. `CKA_SENSITIVE`
  /// @param rule the required value, e.g. `must be true`
  /// @param found the actual value, or `unknown`; empty if the token only refused the key
  public record Unfit(String attribute, String rule, String found) {
    /// Creates a broken rule without an actual value, for a token that only refused the key.
    public Unfit(String attribute, String rule) {
      this(attribute, rule, "");
    }

    /// The same broken rule with an actual value, unless it has one.
    public Unfit orFound(String value) {
      return found.isEmpty() ? new Unfit(attribute, rule, value) : this;
    }

    /// A description of the broken rule, for the log and for the caller of AdoptKey.
    public String text() {
      return attribute + (found.isEmpty() ? " " : " is " + found + " and ") + rule;
    }

    /// The remedy, e.g. the `pkcs11-tool` options that make or import a key with the required
    /// value.
    public String remedy() {
      return switch (attribute) {
        case "CKA_PRIVATE" -> "make or import the key with pkcs11-tool --private";
        case "CKA_SENSITIVE" -> "make or import the key with pkcs11-tool --sensitive";
        case "CKA_EXTRACTABLE" -> "make or import the key with pkcs11-tool without --extractable";
        case "CKA_SIGN" -> "make or import the key with pkcs11-tool --usage-sign";
        case "CKA_DERIVE" -> "make or import the key with pkcs11-tool without --usage-derive";
        case "CKA_KEY_TYPE" -> "make the key with pkcs11-tool --key-type GENERIC:LENGTH";
        case "CKA_VALUE_LEN" -> "make or import a longer key, or choose another spec";
        case "CKA_ALLOWED_MECHANISMS" ->
            "make or import the key with pkcs11-tool without --allowed-mechanisms";
        default -> "make or import the key with the right attributes";
      };
    }
  }

  /// Returns the first rule that the object breaks. An attribute that the token does not report
  /// breaks its rule. The attributes of a key's history (CKA_ALWAYS_SENSITIVE,
  /// CKA_NEVER_EXTRACTABLE, CKA_LOCAL) are reported, but no rule requires a value, because they are
  /// false on imported keys.
  public Optional<Unfit> unfit() {
    if (!Boolean.TRUE.equals(sensitive)) {
      return Optional.of(new Unfit("CKA_SENSITIVE", "must be true", found(sensitive)));
    }
    if (!Boolean.FALSE.equals(extractable)) {
      return Optional.of(new Unfit("CKA_EXTRACTABLE", "must be false", found(extractable)));
    }
    if (!Boolean.TRUE.equals(sign)) {
      return Optional.of(new Unfit("CKA_SIGN", "must be true", found(sign)));
    }
    return Optional.empty();
  }

  private static String found(@Nullable Boolean flag) {
    return flag == null ? "unknown" : flag.toString();
  }
}

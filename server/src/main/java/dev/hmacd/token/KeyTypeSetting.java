package dev.hmacd.token;

/// The type of the keys that the daemon generates on a token (`token.key_type`).
public enum KeyTypeSetting {
  /// As `GENERIC`; as `HMAC` if the token refuses generic secrets for MACs. The first key that the
  /// process generates on the token decides, and after a refusal the first key after each login.
  AUTO,
  /// Generic secrets: CKK_GENERIC_SECRET.
  GENERIC,
  /// HMAC keys for one hash, such as CKK_SHA256_HMAC.
  HMAC
}

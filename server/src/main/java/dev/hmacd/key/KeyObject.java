package dev.hmacd.key;

import java.util.HexFormat;

/// The name of a key's object on a token: its CKA_LABEL and its CKA_ID together. A label or an id
/// alone may match several objects.
///
/// @param label CKA_LABEL of the object
/// @param idHex CKA_ID in lowercase hex; empty if a key ceremony set none
public record KeyObject(String label, String idHex) {
  /// Label prefix of the daemon's own keys. No caller can adopt, list or use the daemon's own keys.
  public static final String RESERVED_PREFIX = "hmacd/own/";

  /// Label prefix of callers' keys that CreateKey generated on the token.
  public static final String MADE_PREFIX = "hmacd/key/";

  public KeyObject {
    HexFormat.of().parseHex(idHex);
  }

  /// The label and CKA_ID for the object of a key that the daemon generates. The label and the
  /// CKA_ID contain the key id and the version, so an operator can identify the object without the
  /// registry.
  public static KeyObject of(KeyId key, int version) {
    return new KeyObject(
        MADE_PREFIX + key.value() + "/" + version,
        key.value().replace("-", "") + HexFormat.of().toHexDigits(version));
  }

  public byte[] id() {
    return HexFormat.of().parseHex(idHex);
  }

  public boolean isReserved() {
    return label.startsWith(RESERVED_PREFIX);
  }
}

package dev.hmacd.key;

import java.util.HexFormat;

/// Names one object on the token: both its CKA_LABEL and its CKA_ID, so that neither alone can lead
/// to another key.
///
/// @param label CKA_LABEL
/// @param idHex CKA_ID in lowercase hex; empty where a key ceremony gave none
public record KeyObject(String label, String idHex) {
  /// Labels of the daemon's own keys start with it; no caller can adopt, list or name them.
  public static final String RESERVED_PREFIX = "hmacd/own/";

  public KeyObject {
    HexFormat.of().parseHex(idHex);
  }

  /// The object of a key that the daemon makes: label and id carry key id and version, so that a
  /// token can be read without the registry.
  public static KeyObject of(KeyId key, int version) {
    return new KeyObject(
        "hmacd/key/" + key.value() + "/" + version,
        key.value().replace("-", "") + HexFormat.of().toHexDigits(version));
  }

  public byte[] id() {
    return HexFormat.of().parseHex(idHex);
  }

  public boolean isReserved() {
    return label.startsWith(RESERVED_PREFIX);
  }
}

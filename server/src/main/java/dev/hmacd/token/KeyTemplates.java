package dev.hmacd.token;

import dev.hmacd.key.KeyObject;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/// PKCS#11 templates of secret keys: attribute values by attribute type, in the order of the types.
final class KeyTemplates {
  /// Usage attributes that the template of a new key sets to false.
  static final Map<Long, Object> MACS_ALONE =
      Map.of(
          CkConstants.CKA_ENCRYPT, false,
          CkConstants.CKA_DECRYPT, false,
          CkConstants.CKA_WRAP, false,
          CkConstants.CKA_UNWRAP, false,
          CkConstants.CKA_DERIVE, false);

  private KeyTemplates() {}

  /// Template of a new token object: private, sensitive and not extractable.
  ///
  /// @param keyType CKA_KEY_TYPE of the key; the mechanism that generates the key must support it
  /// @param more further attributes
  static Map<Long, Object> tokenKey(
      long keyType, KeyObject name, int keyBytes, Map<Long, Object> more) {
    Map<Long, Object> attributes = new TreeMap<>(more);
    attributes.put(CkConstants.CKA_CLASS, CkConstants.CKO_SECRET_KEY);
    attributes.put(CkConstants.CKA_KEY_TYPE, keyType);
    attributes.put(CkConstants.CKA_VALUE_LEN, (long) keyBytes);
    attributes.put(CkConstants.CKA_TOKEN, true);
    attributes.put(CkConstants.CKA_PRIVATE, true);
    attributes.put(CkConstants.CKA_SENSITIVE, true);
    attributes.put(CkConstants.CKA_EXTRACTABLE, false);
    attributes.put(CkConstants.CKA_SIGN, true);
    attributes.put(CkConstants.CKA_VERIFY, true);
    attributes.put(CkConstants.CKA_LABEL, name.label().getBytes(StandardCharsets.UTF_8));
    attributes.put(CkConstants.CKA_ID, name.id());
    return attributes;
  }

  /// Template of a new session object with CKA_PRIVATE true.
  ///
  /// @param keyType CKA_KEY_TYPE of the key; the mechanism that generates the key must support it
  /// @param more further attributes: numbers and flags
  static Map<Long, Object> sessionKey(long keyType, Map<Long, Object> more) {
    Map<Long, Object> attributes = new TreeMap<>(more);
    attributes.put(CkConstants.CKA_CLASS, CkConstants.CKO_SECRET_KEY);
    attributes.put(CkConstants.CKA_KEY_TYPE, keyType);
    attributes.put(CkConstants.CKA_TOKEN, false);
    attributes.put(CkConstants.CKA_PRIVATE, true);
    return attributes;
  }

  /// Template for the copy of a key to a session object.
  ///
  /// @param changed flags in which the copy differs from the key
  static Map<Long, Object> sessionCopy(Map<Long, Object> changed) {
    Map<Long, Object> attributes = new TreeMap<>(changed);
    attributes.put(CkConstants.CKA_TOKEN, false);
    return attributes;
  }

  /// Template of a search for secret keys on the token (not session objects) with a label, an id,
  /// or both.
  static Map<Long, Object> search(@Nullable String label, byte @Nullable [] id) {
    Map<Long, Object> attributes = new TreeMap<>();
    attributes.put(CkConstants.CKA_CLASS, CkConstants.CKO_SECRET_KEY);
    attributes.put(CkConstants.CKA_TOKEN, true);
    if (label != null) {
      attributes.put(CkConstants.CKA_LABEL, label.getBytes(StandardCharsets.UTF_8));
    }
    if (id != null) {
      attributes.put(CkConstants.CKA_ID, id);
    }
    return attributes;
  }
}

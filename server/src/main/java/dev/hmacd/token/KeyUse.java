package dev.hmacd.token;

import dev.hmacd.key.KeyAttributes.Unfit;
import dev.hmacd.key.MacAlgorithm;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// Usage attributes of a secret key, without CKA_SIGN: the operations that the token allows with
/// the key, and the sessions that can use the key. The daemon reads usage attributes at each load
/// of the key, and does not store them.
///
/// @param flags values of the flags by PKCS#11 name, without flags that the token did not return
/// @param keyType CKA_KEY_TYPE; null if the token did not return it
public record KeyUse(Map<String, Boolean> flags, @Nullable Long keyType) {

  static final String PRIVATE = "CKA_PRIVATE";
  static final String DERIVE = "CKA_DERIVE";

  /// Attribute types of all flags that the daemon reads, by PKCS#11 name.
  static final Map<String, Long> FLAGS =
      Map.of(
          PRIVATE,
          CkConstants.CKA_PRIVATE,
          DERIVE,
          CkConstants.CKA_DERIVE,
          "CKA_ENCRYPT",
          CkConstants.CKA_ENCRYPT,
          "CKA_DECRYPT",
          CkConstants.CKA_DECRYPT,
          "CKA_WRAP",
          CkConstants.CKA_WRAP,
          "CKA_UNWRAP",
          CkConstants.CKA_UNWRAP);

  /// Usage attributes without an effect: no PKCS#11 mechanism uses them with a key type in
  /// [#HMAC_TYPES].
  private static final List<String> IDLE_USES =
      List.of("CKA_ENCRYPT", "CKA_DECRYPT", "CKA_WRAP", "CKA_UNWRAP");

  /// CKK_GENERIC_SECRET, and the types of HMAC keys with SHA-2 (PKCS #11 v3.1, section 6.20 on).
  private static final Set<Long> HMAC_TYPES =
      Set.of(
          CkConstants.CKK_GENERIC_SECRET,
          CkConstants.CKK_SHA224_HMAC,
          CkConstants.CKK_SHA256_HMAC,
          CkConstants.CKK_SHA384_HMAC,
          CkConstants.CKK_SHA512_HMAC);

  private static final Map<Long, String> TYPE_NAMES =
      Map.of(
          CkConstants.CKK_GENERIC_SECRET, "CKK_GENERIC_SECRET",
          CkConstants.CKK_AES, "CKK_AES",
          CkConstants.CKK_SHA224_HMAC, "CKK_SHA224_HMAC",
          CkConstants.CKK_SHA256_HMAC, "CKK_SHA256_HMAC",
          CkConstants.CKK_SHA384_HMAC, "CKK_SHA384_HMAC",
          CkConstants.CKK_SHA512_HMAC, "CKK_SHA512_HMAC");

  public KeyUse {
    flags = Map.copyOf(flags);
  }

  /// The first rule that the key breaks; empty if the key breaks no rule. An unknown CKA_PRIVATE or
  /// CKA_KEY_TYPE breaks a rule, too. An unknown CKA_DERIVE breaks no rule: NSS omits the attribute
  /// for a key that may not derive.
  ///
  /// A key with CKA_PRIVATE false can be used in any session, without a login. Derivation can
  /// disclose the bytes of a key, a few at a time. CKA_ENCRYPT, CKA_DECRYPT, CKA_WRAP and
  /// CKA_UNWRAP are harmless with a key type for MACs: every mechanism that encrypts or wraps
  /// requires another key type. The daemon accepts these four attributes, because tokens set them
  /// by default and `pkcs11-tool` cannot clear them.
  Optional<Unfit> unfit() {
    if (!Boolean.TRUE.equals(flags.get(PRIVATE))) {
      return Optional.of(new Unfit(PRIVATE, "must be true", found(PRIVATE)));
    }
    if (Boolean.TRUE.equals(flags.get(DERIVE))) {
      return Optional.of(new Unfit(DERIVE, "must be false", found(DERIVE)));
    }
    if (keyType == null || !HMAC_TYPES.contains(keyType)) {
      return Optional.of(
          new Unfit(
              "CKA_KEY_TYPE",
              "must be CKK_GENERIC_SECRET, or the type of an HMAC key with SHA-2",
              typeName()));
    }
    return Optional.empty();
  }

  /// The rule that the key breaks for a MAC algorithm; empty if the key breaks no rule. An HMAC key
  /// type permits only the MAC algorithm of its hash, even if a token accepts other hashes.
  Optional<Unfit> unfit(MacAlgorithm algorithm) {
    long hmac = MacKeyType.hmacKeyType(algorithm);
    if (keyType == null || keyType == CkConstants.CKK_GENERIC_SECRET || keyType == hmac) {
      return unfit();
    }
    return unfit()
        .or(
            () ->
                Optional.of(
                    new Unfit(
                        "CKA_KEY_TYPE",
                        "must be CKK_GENERIC_SECRET or " + TYPE_NAMES.get(hmac),
                        typeName())));
  }

  /// The name of the key type, for error texts; `unknown` if the token did not return it.
  String typeName() {
    if (keyType == null) {
      return "unknown";
    }
    String name = TYPE_NAMES.get(keyType);
    return name == null ? "another type (CKK " + keyType + ")" : name;
  }

  private String found(String flag) {
    Boolean value = flags.get(flag);
    return value == null ? "unknown" : value.toString();
  }

  /// PKCS#11 names of the usage attributes that are true, although MACs do not need them.
  public List<String> idleUses() {
    return IDLE_USES.stream().filter(use -> Boolean.TRUE.equals(flags.get(use))).toList();
  }
}

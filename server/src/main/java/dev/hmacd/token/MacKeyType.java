package dev.hmacd.token;

import dev.hmacd.key.MacAlgorithm;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/// The type of a MAC key on a token (CKA_KEY_TYPE), and the mechanism that generates such keys.
record MacKeyType(long keyType, long mechanism) {
  static final MacKeyType GENERIC =
      new MacKeyType(CkConstants.CKK_GENERIC_SECRET, CkConstants.CKM_GENERIC_SECRET_KEY_GEN);

  /// Mechanisms of Entrust nShield that generate HMAC keys. nShield does not support HMAC with a
  /// CKK_GENERIC_SECRET key (`pkcs11extra.h`: CKM_NCIPHER + 0x24 to 0x27).
  private static final long CKM_NC_SHA224_HMAC_KEY_GEN = 0xde436996L;

  private static final long CKM_NC_SHA256_HMAC_KEY_GEN = 0xde436997L;
  private static final long CKM_NC_SHA384_HMAC_KEY_GEN = 0xde436998L;
  private static final long CKM_NC_SHA512_HMAC_KEY_GEN = 0xde436999L;

  /// The type of HMAC keys for an algorithm. Selects the mechanism of PKCS #11 v3.0 or of nShield,
  /// in this order, if the token lists it. Otherwise selects CKM_GENERIC_SECRET_KEY_GEN: YubiHSM 2
  /// selects the hash by CKA_KEY_TYPE.
  ///
  /// @param mechanisms the mechanisms that the token lists
  static MacKeyType hmac(MacAlgorithm algorithm, Set<Long> mechanisms) {
    long keyType = hmacKeyType(algorithm);
    for (long mechanism : new long[] {standard(algorithm), nShield(algorithm)}) {
      if (mechanisms.contains(mechanism)) {
        return new MacKeyType(keyType, mechanism);
      }
    }
    return new MacKeyType(keyType, CkConstants.CKM_GENERIC_SECRET_KEY_GEN);
  }

  /// The types to try for a key, in order.
  ///
  /// @param mechanisms the mechanisms that the token lists
  static List<MacKeyType> candidates(
      KeyTypeSetting setting, MacAlgorithm algorithm, Set<Long> mechanisms) {
    return switch (setting) {
      case AUTO -> List.of(GENERIC, hmac(algorithm, mechanisms));
      case GENERIC -> List.of(GENERIC);
      case HMAC -> List.of(hmac(algorithm, mechanisms));
    };
  }

  /// The algorithm of a key that the daemon generates: its key length is the length of its MACs.
  static Optional<MacAlgorithm> algorithm(int keyBytes) {
    return Arrays.stream(MacAlgorithm.values())
        .filter(algorithm -> algorithm.macBytes() == keyBytes)
        .findFirst();
  }

  /// CKA_KEY_TYPE of an HMAC key for an algorithm.
  static long hmacKeyType(MacAlgorithm algorithm) {
    return switch (algorithm) {
      case HMAC_SHA_224 -> CkConstants.CKK_SHA224_HMAC;
      case HMAC_SHA_256 -> CkConstants.CKK_SHA256_HMAC;
      case HMAC_SHA_384 -> CkConstants.CKK_SHA384_HMAC;
      case HMAC_SHA_512 -> CkConstants.CKK_SHA512_HMAC;
    };
  }

  private static long standard(MacAlgorithm algorithm) {
    return switch (algorithm) {
      case HMAC_SHA_224 -> CkConstants.CKM_SHA224_KEY_GEN;
      case HMAC_SHA_256 -> CkConstants.CKM_SHA256_KEY_GEN;
      case HMAC_SHA_384 -> CkConstants.CKM_SHA384_KEY_GEN;
      case HMAC_SHA_512 -> CkConstants.CKM_SHA512_KEY_GEN;
    };
  }

  private static long nShield(MacAlgorithm algorithm) {
    return switch (algorithm) {
      case HMAC_SHA_224 -> CKM_NC_SHA224_HMAC_KEY_GEN;
      case HMAC_SHA_256 -> CKM_NC_SHA256_HMAC_KEY_GEN;
      case HMAC_SHA_384 -> CKM_NC_SHA384_HMAC_KEY_GEN;
      case HMAC_SHA_512 -> CKM_NC_SHA512_HMAC_KEY_GEN;
    };
  }
}

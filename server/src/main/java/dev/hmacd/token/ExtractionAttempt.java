package dev.hmacd.token;

import dev.hmacd.key.KeyAttributes;
import dev.hmacd.key.KeyObject;
import dev.hmacd.key.MacAlgorithm;
import dev.hmacd.token.TokenException.Kind;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/// Tries to extract a key from the token, as an attacker with the PIN would. The attributes of a
/// key do not prove its protection: some tokens wrap keys with CKA_EXTRACTABLE false.
///
/// The attempt generates a key with the template of all new keys, and destroys the key afterwards.
public final class ExtractionAttempt {
  private static final int KEY_BYTES = 32;
  private static final int AES_BYTES = 32;
  private static final int IV_BYTES = 16;

  /// Mechanisms by which an AES key wraps another key (PKCS #11 v3.1, sections 6.13 and 6.14).
  private enum Wrapping {
    CKM_AES_KEY_WRAP(0x2109, false),
    CKM_AES_KEY_WRAP_PAD(0x210a, false),
    CKM_AES_KEY_WRAP_KWP(0x210b, false),
    CKM_AES_CBC_PAD(0x1085, true),
    CKM_AES_CBC(0x1082, true),
    CKM_AES_ECB(0x1081, false);

    private final long mechanism;
    private final boolean withIv;

    Wrapping(long mechanism, boolean withIv) {
      this.mechanism = mechanism;
      this.withIv = withIv;
    }

    private byte[] wrap(Cryptoki module, long session, long wrappingKey, long handle)
        throws TokenException {
      // The IV is all zero, because the wrapped key is discarded.
      byte[] iv = withIv ? new byte[IV_BYTES] : null;
      return module.wrap(session, mechanism, iv, wrappingKey, handle);
    }
  }

  /// The result of an attempt to extract a key.
  ///
  /// @param attributes the attributes of the key, as read from the token
  /// @param valueRevealed whether the token returned the key's bytes (CKA_VALUE)
  /// @param copyLoosened whether the token made a copy of the key that is extractable or not
  ///   sensitive
  /// @param wrappedBy mechanisms that wrapped the key, although CKA_EXTRACTABLE is false
  /// @param refusedBy mechanisms that refused to wrap the key, but wrapped an extractable key
  public record Result(
      KeyAttributes attributes,
      boolean valueRevealed,
      boolean copyLoosened,
      List<String> wrappedBy,
      List<String> refusedBy) {}

  private final Cryptoki module;
  private final long session;

  private ExtractionAttempt(Cryptoki module, long session) {
    this.module = module;
    this.session = session;
  }

  /// @param session a session that is logged in and not in use
  /// @param name label and id for the trial's key; no object on the token may have them
  /// @param mechanisms the mechanisms of the token
  /// @param keyType the type of new keys
  static Result run(
      Cryptoki module, long session, KeyObject name, Set<Long> mechanisms, KeyTypeSetting keyType)
      throws TokenException {
    List<MacKeyType> types = MacKeyType.candidates(keyType, MacAlgorithm.HMAC_SHA_256, mechanisms);
    return new ExtractionAttempt(module, session).run(name, mechanisms, types);
  }

  /// Generates a key of the first type that the token does not refuse.
  private long generated(KeyObject name, List<MacKeyType> types) throws TokenException {
    for (MacKeyType type : types.subList(0, types.size() - 1)) {
      Optional<Long> key = tried(() -> generated(name, type));
      if (key.isPresent()) {
        return key.get();
      }
    }
    return generated(name, types.getLast());
  }

  private long generated(KeyObject name, MacKeyType type) throws TokenException {
    return module.generateKey(
        session,
        type.mechanism(),
        KeyTemplates.tokenKey(type.keyType(), name, KEY_BYTES, KeyTemplates.MACS_ALONE));
  }

  private Result run(KeyObject name, Set<Long> mechanisms, List<MacKeyType> types)
      throws TokenException {
    long key = generated(name, types);
    try {
      List<String> wrappedBy = new ArrayList<>();
      List<String> refusedBy = new ArrayList<>();
      if (mechanisms.contains(CkConstants.CKM_AES_KEY_GEN)) {
        wrap(key, mechanisms, wrappedBy, refusedBy);
      }
      byte[] value = module.bytes(session, key, CkConstants.CKA_VALUE);
      return new Result(
          new KeyAttributeReader(module, session).read(name, key).attributes(),
          value != null && value.length > 0,
          isLoosenedByCopying(name, key),
          List.copyOf(wrappedBy),
          List.copyOf(refusedBy));
    } finally {
      module.destroy(session, key);
    }
  }

  private void wrap(long key, Set<Long> mechanisms, List<String> wrappedBy, List<String> refusedBy)
      throws TokenException {
    Optional<Long> wrappingKey =
        tried(
            () ->
                module.generateKey(
                    session,
                    CkConstants.CKM_AES_KEY_GEN,
                    KeyTemplates.sessionKey(
                        CkConstants.CKK_AES,
                        Map.of(
                            CkConstants.CKA_VALUE_LEN, (long) AES_BYTES,
                            CkConstants.CKA_SENSITIVE, true,
                            CkConstants.CKA_EXTRACTABLE, false,
                            CkConstants.CKA_WRAP, true))));
    Optional<Long> extractable =
        tried(
            () ->
                module.generateKey(
                    session,
                    CkConstants.CKM_GENERIC_SECRET_KEY_GEN,
                    KeyTemplates.sessionKey(
                        CkConstants.CKK_GENERIC_SECRET,
                        Map.of(
                            CkConstants.CKA_VALUE_LEN, (long) KEY_BYTES,
                            CkConstants.CKA_SENSITIVE, true,
                            CkConstants.CKA_EXTRACTABLE, true))));
    try {
      if (wrappingKey.isEmpty()) {
        return;
      }
      for (Wrapping wrapping : Wrapping.values()) {
        if (!mechanisms.contains(wrapping.mechanism)) {
          continue;
        }
        if (wraps(wrapping, wrappingKey.get(), key)) {
          wrappedBy.add(wrapping.name());
        } else if (extractable.isPresent()
            && wraps(wrapping, wrappingKey.get(), extractable.get())) {
          // The mechanism wraps an extractable key, so it works: the token refused this key.
          refusedBy.add(wrapping.name());
        }
      }
    } finally {
      for (Optional<Long> made : List.of(wrappingKey, extractable)) {
        if (made.isPresent()) {
          module.destroy(session, made.get());
        }
      }
    }
  }

  private boolean wraps(Wrapping wrapping, long wrappingKey, long handle) throws TokenException {
    return tried(() -> wrapping.wrap(module, session, wrappingKey, handle)).isPresent();
  }

  private boolean isLoosenedByCopying(KeyObject name, long key) throws TokenException {
    Optional<Long> copy =
        tried(
            () ->
                module.copy(
                    session,
                    key,
                    KeyTemplates.sessionCopy(
                        Map.of(
                            CkConstants.CKA_SENSITIVE, false, CkConstants.CKA_EXTRACTABLE, true))));
    if (copy.isEmpty()) {
      return false;
    }
    // A token may also ignore the template, and copy the key with unchanged attributes.
    KeyAttributes read =
        new KeyAttributeReader(module, session).read(name, copy.get()).attributes();
    module.destroy(session, copy.get());
    return !Boolean.TRUE.equals(read.sensitive()) || !Boolean.FALSE.equals(read.extractable());
  }

  private interface Attempt<T> {
    T make() throws TokenException;
  }

  /// The result of an attempt; empty if the token refused the attempt. The return code does not
  /// matter, because tokens refuse with different codes.
  private static <T> Optional<T> tried(Attempt<T> attempt) throws TokenException {
    try {
      return Optional.of(attempt.make());
    } catch (TokenException e) {
      if (e.kind() == Kind.UNAVAILABLE || e.kind() == Kind.UNSUPPORTED) {
        return Optional.empty();
      }
      throw e;
    }
  }
}

package dev.hmacd.token;

import dev.hmacd.key.KeyAttributes;
import dev.hmacd.key.KeyAttributes.Unfit;
import dev.hmacd.key.KeyObject;
import dev.hmacd.key.MacAlgorithm;
import dev.hmacd.token.TokenException.Kind;
import dev.hmacd.token.TokenSession.Found;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Generates MAC-only keys in a session (`C_GenerateKey`).
final class KeyGeneration {
  /// The message of the MAC that tests a key type. The MAC is discarded.
  private static final byte[] TRIAL_MESSAGE = {0};

  private static final Logger log = LoggerFactory.getLogger(KeyGeneration.class);

  private final Pkcs11Session.Shared shared;
  private final Cryptoki module;
  private final Handles handles;
  private final AtomicBoolean modifiable;
  private final NewKeyType keyType;
  private final long session;
  private final int epoch;
  private final KeyAttributeReader reader;
  private final SessionCopies copies;

  KeyGeneration(
      Pkcs11Session.Shared shared,
      long session,
      int epoch,
      KeyAttributeReader reader,
      SessionCopies copies) {
    this.shared = shared;
    this.module = shared.module();
    this.handles = shared.handles();
    this.modifiable = shared.modifiable();
    this.keyType = shared.keyType();
    this.session = session;
    this.epoch = epoch;
    this.reader = reader;
    this.copies = copies;
  }

  /// Generates a key. Destroys the key if its attributes differ from the request.
  KeyAttributes generate(KeyObject name, int keyBytes) throws TokenException {
    long handle =
        keyType.get() == KeyTypeSetting.AUTO
            ? ofDetectedType(name, keyBytes)
            : generated(name, keyBytes, type(keyBytes));
    Found made = reader.read(name, handle);
    var unfit = made.unfit();
    if (unfit.isPresent() || !made.use().idleUses().isEmpty()) {
      destroy(handle);
      throw new TokenException(
          Kind.KEY_UNFIT,
          "attributes of the new key differ from the request: "
              + unfit.map(Unfit::text).orElseGet(() -> made.use().idleUses() + " are true"));
    }
    return made.attributes();
  }

  /// The type of the next key. While the setting is `AUTO`, this is the type that is tried first.
  MacKeyType type(int keyBytes) throws TokenException {
    return keyType.get() == KeyTypeSetting.HMAC ? hmacType(keyBytes) : MacKeyType.GENERIC;
  }

  private MacKeyType hmacType(int keyBytes) throws TokenException {
    Optional<MacAlgorithm> algorithm = MacKeyType.algorithm(keyBytes);
    if (algorithm.isEmpty()) {
      throw new TokenException(
          Kind.UNSUPPORTED, "no MAC algorithm has keys of " + keyBytes + " bytes");
    }
    return MacKeyType.hmac(algorithm.get(), shared.mechanisms().get());
  }

  /// Generates a generic secret, or an HMAC key if the token refuses generic secrets. Some tokens
  /// generate generic secrets, but compute no MAC under them.
  private long ofDetectedType(KeyObject name, int keyBytes) throws TokenException {
    TokenException refusal;
    try {
      long generic = generated(name, keyBytes, MacKeyType.GENERIC);
      Optional<TokenException> refusedMac = refusedMac(generic, keyBytes);
      if (refusedMac.isEmpty()) {
        return generic;
      }
      destroy(generic);
      refusal = refusedMac.get();
    } catch (TokenException e) {
      if (!isRefusal(e)) {
        throw e;
      }
      refusal = e;
    }
    long handle;
    try {
      handle = generated(name, keyBytes, hmacType(keyBytes));
    } catch (TokenException e) {
      if (!isRefusal(e)) {
        throw e;
      }
      refusal.addSuppressed(e);
      throw refusal;
    }
    if (keyType.detected(KeyTypeSetting.HMAC)) {
      log.atInfo()
          .addKeyValue("reason", refusal.getMessage())
          .log("Keys are generated as HMAC keys: the token refuses generic secrets for MACs");
    }
    return handle;
  }

  /// Computes a MAC under a new generic secret. A MAC proves that the token accepts generic
  /// secrets, so no further key is tested.
  ///
  /// @return the refusal of the token; empty if the token computed the MAC, or has no mechanism for
  ///   it
  private Optional<TokenException> refusedMac(long handle, int keyBytes) throws TokenException {
    Optional<Long> mechanism =
        MacKeyType.algorithm(keyBytes)
            .map(Pkcs11Session::mechanism)
            .filter(shared.mechanisms().get()::contains);
    if (mechanism.isEmpty()) {
      return Optional.empty();
    }
    try {
      var _ = module.sign(session, mechanism.get(), handle, TRIAL_MESSAGE);
    } catch (TokenException e) {
      if (isRefusal(e)) {
        return Optional.of(e);
      }
      throw e;
    }
    boolean _ = keyType.detected(KeyTypeSetting.GENERIC);
    return Optional.empty();
  }

  /// Whether a failure is a refusal of the key type, according to the return code.
  private static boolean isRefusal(TokenException e) {
    return e.isKeyRefused() || e.kind() == Kind.UNSUPPORTED;
  }

  /// Generates a key with CKA_MODIFIABLE false, unless the token copies only modifiable keys.
  /// SoftHSM2 copies only modifiable keys, and its MACs take twice as long without copies.
  private long generated(KeyObject name, int keyBytes, MacKeyType type) throws TokenException {
    if (modifiable.get()) {
      return generated(name, keyBytes, type, true);
    }
    long fixed = generated(name, keyBytes, type, false);
    if (!shared.sessionCopies() || copies.canCopy(fixed)) {
      return fixed;
    }
    destroy(fixed);
    long changeable = generated(name, keyBytes, type, true);
    if (copies.canCopy(changeable)) {
      modifiable.set(true);
      return changeable;
    }
    destroy(changeable);
    return generated(name, keyBytes, type, false);
  }

  private long generated(KeyObject name, int keyBytes, MacKeyType type, boolean isModifiable)
      throws TokenException {
    Map<Long, Object> more = new HashMap<>(KeyTemplates.MACS_ALONE);
    more.put(CkConstants.CKA_MODIFIABLE, isModifiable);
    long handle;
    try (var _ = shared.objectLock().forGeneration()) {
      handle =
          module.generateKey(
              session,
              type.mechanism(),
              KeyTemplates.tokenKey(type.keyType(), name, keyBytes, more));
    }
    handles.recordHandle(handle, name, epoch);
    return handle;
  }

  private void destroy(long handle) throws TokenException {
    try (var _ = shared.objectLock().forDestruction()) {
      module.destroy(session, handle);
    }
    handles.release(handle, epoch);
  }
}

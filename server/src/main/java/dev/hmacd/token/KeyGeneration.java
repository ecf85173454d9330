package dev.hmacd.token;

import dev.hmacd.key.KeyAttributes;
import dev.hmacd.key.KeyAttributes.Unfit;
import dev.hmacd.key.KeyObject;
import dev.hmacd.token.TokenException.Kind;
import dev.hmacd.token.TokenSession.Found;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.atomic.AtomicBoolean;

/// Generates MAC-only keys in a session (`C_GenerateKey`).
final class KeyGeneration {
  private final Pkcs11Session.Shared shared;
  private final Cryptoki module;
  private final Handles handles;
  private final AtomicBoolean modifiable;
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
    this.session = session;
    this.epoch = epoch;
    this.reader = reader;
    this.copies = copies;
  }

  /// Generates a key, and destroys it if the token set other attributes than requested.
  KeyAttributes generate(KeyObject name, int keyBytes) throws TokenException {
    long handle = generated(name, keyBytes);
    Found made = reader.read(name, handle);
    var unfit = made.unfit();
    if (unfit.isPresent() || !made.use().idleUses().isEmpty()) {
      module.destroy(session, handle);
      throw new TokenException(
          Kind.KEY_UNFIT,
          "the token made a key with other attributes than requested: "
              + unfit.map(Unfit::text).orElseGet(() -> made.use().idleUses() + " are true"));
    }
    return made.attributes();
  }

  /// Generates a key with CKA_MODIFIABLE false, unless the token copies only modifiable keys.
  /// SoftHSM2 copies only modifiable keys, and its MACs take twice as long without copies.
  private long generated(KeyObject name, int keyBytes) throws TokenException {
    if (modifiable.get()) {
      return generated(name, keyBytes, true);
    }
    long fixed = generated(name, keyBytes, false);
    if (!shared.sessionCopies() || copies.canCopy(fixed)) {
      return fixed;
    }
    destroy(fixed);
    long changeable = generated(name, keyBytes, true);
    if (copies.canCopy(changeable)) {
      modifiable.set(true);
      return changeable;
    }
    destroy(changeable);
    return generated(name, keyBytes, false);
  }

  private long generated(KeyObject name, int keyBytes, boolean isModifiable) throws TokenException {
    Map<Long, Object> more = new HashMap<>(KeyTemplates.MACS_ALONE);
    more.put(CkConstants.CKA_MODIFIABLE, isModifiable);
    long handle =
        module.generateKey(
            session,
            CkConstants.CKM_GENERIC_SECRET_KEY_GEN,
            KeyTemplates.tokenKey(name.label(), name.id(), keyBytes, more));
    handles.recordHandle(handle, name, epoch);
    return handle;
  }

  private void destroy(long handle) throws TokenException {
    module.destroy(session, handle);
    handles.release(handle, epoch);
  }
}

package dev.hmacd.token;

import dev.hmacd.key.KeyAttributes;
import dev.hmacd.key.KeyObject;
import dev.hmacd.key.MacAlgorithm;
import dev.hmacd.token.TokenException.Fault;
import dev.hmacd.token.TokenException.Kind;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Lock;
import java.util.concurrent.locks.ReadWriteLock;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// A session of a [Pkcs11Token].
final class Pkcs11Session implements TokenSession {
  private static final long MAX_WAIT_MILLIS = 1000;
  private static final Logger log = LoggerFactory.getLogger(Pkcs11Session.class);

  private final Cryptoki module;
  private final long session;
  private final boolean sessionCopies;
  private final ReadWriteLock copying;
  private final Set<Long> copies = new HashSet<>();

  /// @param copying one for all sessions of a token, held to write for a copy and to read for a
  ///   search: SoftHSM2 shows a session object for a token object while it is being made as a copy
  ///   of one, and other sessions find the key twice
  Pkcs11Session(Cryptoki module, long session, boolean sessionCopies, ReadWriteLock copying) {
    this.module = module;
    this.session = session;
    this.sessionCopies = sessionCopies;
    this.copying = copying;
  }

  @Override
  public long load(KeyObject key) throws TokenException {
    long[] handles = handles(key.label(), key.id(), 2);
    if (handles.length != 1) {
      throw handles.length == 0
          ? new TokenException(Kind.KEY_MISSING, "no object " + key.label() + " on the token")
          : new TokenException(Kind.KEY_AMBIGUOUS, "more than one object " + key.label());
    }
    long handle = handles[0];
    requireFit(key, handle);
    if (!sessionCopies) {
      return handle;
    }
    long copy = copy(handle);
    if (copy == handle) {
      return handle;
    }
    try {
      // The name again, too: a handle that does not name this key is never used.
      requireFit(key, copy);
    } catch (TokenException e) {
      unload(copy);
      throw e;
    }
    return copy;
  }

  private void requireFit(KeyObject key, long handle) throws TokenException {
    if (!name(handle).equals(key)) {
      throw new TokenException(Kind.KEY_UNFIT, "the object found is not " + key.label());
    }
    var unfit = attributes(handle).unfit();
    if (unfit.isPresent()) {
      throw TokenException.unfit(
          unfit.get(), key.label() + ": " + unfit.get().attribute() + " " + unfit.get().rule());
    }
  }

  @Override
  public void unload(long handle) throws TokenException {
    if (copies.remove(handle)) {
      module.destroy(session, handle);
    }
  }

  @Override
  public byte[] sign(long handle, MacAlgorithm algorithm, byte[] message) throws TokenException {
    byte[] mac = module.sign(session, mechanism(algorithm), handle, message);
    if (mac.length != algorithm.macBytes()) {
      throw TokenException.fault(Fault.DEVICE, "C_Sign gave a MAC of " + mac.length + " bytes");
    }
    return mac;
  }

  private static long mechanism(MacAlgorithm algorithm) {
    return switch (algorithm) {
      case HMAC_SHA_224 -> Cryptoki.CKM_SHA224_HMAC;
      case HMAC_SHA_256 -> Cryptoki.CKM_SHA256_HMAC;
      case HMAC_SHA_384 -> Cryptoki.CKM_SHA384_HMAC;
      case HMAC_SHA_512 -> Cryptoki.CKM_SHA512_HMAC;
    };
  }

  @Override
  public KeyAttributes generate(KeyObject name, int keyBytes) throws TokenException {
    long handle = module.generateSecretKey(session, name.label(), name.id(), keyBytes);
    KeyAttributes read = attributes(handle);
    var unfit = read.unfit();
    if (unfit.isPresent()) {
      module.destroy(session, handle);
      throw new TokenException(
          Kind.KEY_UNFIT, "the token made a key whose " + unfit.get().attribute() + " is wrong");
    }
    return read;
  }

  @Override
  public boolean destroy(KeyObject key) throws TokenException {
    long[] handles = handles(key.label(), key.id(), 2);
    if (handles.length == 0) {
      return false;
    }
    if (handles.length > 1) {
      throw new TokenException(Kind.KEY_AMBIGUOUS, "more than one object " + key.label());
    }
    if (!name(handles[0]).equals(key)) {
      throw new TokenException(Kind.KEY_UNFIT, "the object found is not " + key.label());
    }
    module.destroy(session, handles[0]);
    return true;
  }

  @Override
  public byte[] random(int count) throws TokenException {
    return module.random(session, count);
  }

  @Override
  public List<Found> find(Query query) throws TokenException {
    long[] handles =
        switch (query) {
          case Query.ByLabel(var label) -> handles(label, null, MAX_FOUND);
          case Query.ById(var idHex) -> handles(null, HexFormat.of().parseHex(idHex), MAX_FOUND);
          case Query.ByBoth(var object) -> handles(object.label(), object.id(), MAX_FOUND);
        };
    List<Found> found = new ArrayList<>();
    for (long handle : handles) {
      found.add(new Found(name(handle), attributes(handle)));
    }
    return found;
  }

  /// The token objects that fit.
  private long[] handles(@Nullable String label, byte @Nullable [] id, int limit)
      throws TokenException {
    boolean held = acquired(copying.readLock());
    try {
      long[] handles = module.findSecretKeys(session, label, id, limit);
      if (handles.length > 0) {
        return handles;
      }
      // Who is logged out sees no private objects, and no error either.
      if (!module.isLoggedIn(session)) {
        throw TokenException.fault(Fault.LOGIN, "the session was logged out");
      }
      // Another session may have logged in since the search.
      return module.findSecretKeys(session, label, id, limit);
    } finally {
      if (held) {
        copying.readLock().unlock();
      }
    }
  }

  /// The handle of a session object that is a copy; of the token object itself where there can be
  /// none.
  private long copy(long handle) throws TokenException {
    if (!acquired(copying.writeLock())) {
      return handle;
    }
    try {
      long copy = module.copyToSession(session, handle);
      copies.add(copy);
      return copy;
    } catch (TokenException e) {
      if (e.fault() == Fault.DEVICE || e.fault() == Fault.NONE) {
        log.atDebug().setCause(e).log("The token does not copy this key; its token object is used");
        return handle;
      }
      throw e;
    } finally {
      copying.writeLock().unlock();
    }
  }

  /// Not for longer than a moment: a call of another lane may hang in there, and must not hold up
  /// this one.
  private static boolean acquired(Lock lock) {
    try {
      return lock.tryLock(MAX_WAIT_MILLIS, TimeUnit.MILLISECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return false;
    }
  }

  private KeyObject name(long handle) throws TokenException {
    byte[] label = module.bytes(session, handle, Cryptoki.CKA_LABEL);
    byte[] id = module.bytes(session, handle, Cryptoki.CKA_ID);
    return new KeyObject(
        label == null ? "" : text(label), id == null ? "" : HexFormat.of().formatHex(id));
  }

  /// Strictly: a label that was decoded with losses would not be found again.
  private static String text(byte[] label) throws TokenException {
    try {
      return StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(label)).toString();
    } catch (CharacterCodingException e) {
      throw TokenException.unfit(
          new KeyAttributes.Unfit("CKA_LABEL", "must be UTF-8"), "a label is not UTF-8: " + e);
    }
  }

  private KeyAttributes attributes(long handle) throws TokenException {
    Long keyBytes = module.number(session, handle, Cryptoki.CKA_VALUE_LEN);
    return new KeyAttributes(
        module.flag(session, handle, Cryptoki.CKA_SENSITIVE),
        module.flag(session, handle, Cryptoki.CKA_EXTRACTABLE),
        module.flag(session, handle, Cryptoki.CKA_SIGN),
        module.flag(session, handle, Cryptoki.CKA_ALWAYS_SENSITIVE),
        module.flag(session, handle, Cryptoki.CKA_NEVER_EXTRACTABLE),
        module.flag(session, handle, Cryptoki.CKA_LOCAL),
        keyBytes == null ? null : Math.toIntExact(keyBytes));
  }

  @Override
  public void close() {
    try {
      module.closeSession(session);
    } catch (TokenException e) {
      log.atDebug().setCause(e).log("A session was gone before it was closed");
    }
  }
}

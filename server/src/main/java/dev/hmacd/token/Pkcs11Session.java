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
import java.util.HashMap;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Lock;
import java.util.concurrent.locks.ReadWriteLock;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// A session of a [Pkcs11Token].
final class Pkcs11Session implements TokenSession {
  private static final long MAX_WAIT_MILLIS = 1000;
  private static final long SHORT_WAIT_MILLIS = 100;
  private static final Logger log = LoggerFactory.getLogger(Pkcs11Session.class);

  /// What all sessions of a token share.
  ///
  /// @param mechanisms that the token lists
  /// @param verify whether a MAC is verified by the token before it is released
  /// @param copying held to write while a copy is made or destroyed and to read for a search:
  ///   SoftHSM2 shows a session object for a token object while it is being made as a copy of one,
  ///   and other sessions find the key twice
  record Shared(
      Cryptoki module,
      Supplier<Set<Long>> mechanisms,
      boolean sessionCopies,
      boolean verify,
      Handles handles,
      ReadWriteLock copying) {}

  private final Shared shared;
  private final Cryptoki module;
  private final Handles handles;
  private final long session;
  private final int epoch;

  /// What was loaded, with its key; and what of it are copies.
  private final Map<Long, KeyObject> loaded = new HashMap<>();

  private final Set<Long> copies = new HashSet<>();

  /// @param epoch when it was opened
  Pkcs11Session(Shared shared, long session, int epoch) {
    this.shared = shared;
    this.module = shared.module();
    this.handles = shared.handles();
    this.session = session;
    this.epoch = epoch;
  }

  @Override
  public long load(KeyObject key) throws TokenException {
    try (var _ = handles.enter(epoch);
        var _ = handles.lookUp()) {
      long handle = found(key);
      handles.kept(handle, key, epoch);
      loaded.put(handle, key);
      return handle;
    }
  }

  private long found(KeyObject key) throws TokenException {
    long[] found = handles(key);
    if (found.length != 1) {
      throw found.length == 0
          ? new TokenException(Kind.KEY_MISSING, "no object " + key.label() + " on the token")
          : new TokenException(Kind.KEY_AMBIGUOUS, "more than one object " + key.label());
    }
    long handle = found[0];
    requireFit(key, handle);
    handles.seen(handle, key, epoch);
    if (!shared.sessionCopies()) {
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
      destroyCopy(copy);
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
    try (var _ = handles.enter(epoch)) {
      loaded.remove(handle);
      destroyCopy(handle);
    }
  }

  private void destroyCopy(long handle) throws TokenException {
    if (copies.remove(handle)) {
      handles.gone(handle, epoch);
      apart(() -> module.destroy(session, handle));
    }
  }

  /// What happens to session objects.
  private interface Change {
    void make() throws TokenException;
  }

  /// Changes session objects while nobody searches: openCryptoki was seen to crash when it came
  /// upon one that another thread was destroying. A search that hangs is not waited for.
  private void apart(Change change) throws TokenException {
    boolean held = acquired(shared.copying().writeLock(), SHORT_WAIT_MILLIS);
    try {
      change.make();
    } finally {
      if (held) {
        shared.copying().writeLock().unlock();
      }
    }
  }

  @Override
  public byte[] sign(long handle, MacAlgorithm algorithm, byte[] message) throws TokenException {
    long mechanism = mechanism(algorithm);
    try (var _ = handles.enter(epoch)) {
      long before = handles.now();
      byte[] mac = module.sign(session, mechanism, handle, message);
      if (mac.length != algorithm.macBytes()) {
        throw TokenException.fault(Fault.DEVICE, "C_Sign gave a MAC of " + mac.length + " bytes");
      }
      requireTrust(handle, before);
      if (shared.verify() && !module.verify(session, mechanism, handle, message, mac)) {
        throw TokenException.fault(Fault.WRONG_MAC, "C_Verify refused what C_Sign gave");
      }
      return mac;
    } catch (TokenException e) {
      if (e.fault() == Fault.OBJECT) {
        handles.distrust(epoch);
      }
      throw listed(mechanism, e);
    }
  }

  /// That the handle stood for its key when it was used.
  private void requireTrust(long handle, long before) throws TokenException {
    if ((handles.lookedUpSince(before) || handles.isCommon(handle))
        && !name(handle).equals(loaded.get(handle))) {
      handles.distrust(epoch);
    }
    if (handles.epoch() != epoch) {
      throw Handles.stale();
    }
  }

  /// A mechanism that the token lists is one that it has, whatever it answers now.
  private TokenException listed(long mechanism, TokenException e) {
    return e.kind() == Kind.UNSUPPORTED && shared.mechanisms().get().contains(mechanism)
        ? TokenException.fault(Fault.DEVICE, String.valueOf(e.getMessage()), e)
        : e;
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
    try (var _ = handles.enter(epoch);
        var _ = handles.lookUp()) {
      long handle = module.generateSecretKey(session, name.label(), name.id(), keyBytes);
      handles.seen(handle, name, epoch);
      KeyAttributes read = attributes(handle);
      var unfit = read.unfit();
      if (unfit.isPresent()) {
        module.destroy(session, handle);
        throw new TokenException(
            Kind.KEY_UNFIT, "the token made a key whose " + unfit.get().attribute() + " is wrong");
      }
      return read;
    } catch (TokenException e) {
      throw listed(Cryptoki.CKM_GENERIC_SECRET_KEY_GEN, e);
    }
  }

  @Override
  public boolean destroy(KeyObject key) throws TokenException {
    try (var _ = handles.enter(epoch);
        var _ = handles.lookUp()) {
      long[] found = handles(key);
      if (found.length == 0) {
        return false;
      }
      if (found.length > 1) {
        throw new TokenException(Kind.KEY_AMBIGUOUS, "more than one object " + key.label());
      }
      if (!name(found[0]).equals(key)) {
        throw new TokenException(Kind.KEY_UNFIT, "the object found is not " + key.label());
      }
      handles.seen(found[0], key, epoch);
      module.destroy(session, found[0]);
      handles.gone(found[0], epoch); // Its number may be another's from now on.
      return true;
    }
  }

  @Override
  public byte[] random(int count) throws TokenException {
    try (var _ = handles.enter(epoch)) {
      return module.random(session, count);
    }
  }

  @Override
  public List<Found> find(Query query) throws TokenException {
    try (var _ = handles.enter(epoch);
        var _ = handles.lookUp()) {
      long[] fitting =
          switch (query) {
            case Query.ByLabel(var label) -> handles(label, null, MAX_FOUND);
            case Query.ById(var idHex) -> handles(null, HexFormat.of().parseHex(idHex), MAX_FOUND);
            case Query.ByBoth(var object) -> handles(object);
          };
      List<Found> found = new ArrayList<>();
      for (long handle : fitting) {
        KeyObject name = name(handle);
        handles.seen(handle, name, epoch);
        found.add(new Found(name, attributes(handle)));
      }
      return found;
    }
  }

  /// The token objects with this label and id.
  private long[] handles(KeyObject key) throws TokenException {
    if (!key.idHex().isEmpty()) {
      return handles(key.label(), key.id(), MAX_FOUND);
    }
    // Some tokens do not find an object without an id when they are asked for an empty one.
    List<Long> withoutId = new ArrayList<>();
    for (long handle : handles(key.label(), null, MAX_FOUND)) {
      if (name(handle).idHex().isEmpty()) {
        withoutId.add(handle);
      }
    }
    return withoutId.stream().mapToLong(Long::longValue).toArray();
  }

  /// The token objects that fit.
  private long[] handles(@Nullable String label, byte @Nullable [] id, int limit)
      throws TokenException {
    boolean held = acquired(shared.copying().readLock());
    try {
      long[] found = module.findSecretKeys(session, label, id, limit);
      if (found.length > 0) {
        return found;
      }
      // Who is logged out sees no private objects, and no error either.
      if (!module.isLoggedIn(session)) {
        throw TokenException.fault(Fault.LOGIN, "the session was logged out");
      }
      // Another session may have logged in since the search.
      return module.findSecretKeys(session, label, id, limit);
    } finally {
      if (held) {
        shared.copying().readLock().unlock();
      }
    }
  }

  /// The handle of a session object that is a copy; of the token object itself where there can be
  /// none.
  private long copy(long handle) throws TokenException {
    if (!acquired(shared.copying().writeLock())) {
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
      shared.copying().writeLock().unlock();
    }
  }

  /// Not for longer than a moment: a call of another lane may hang in there, and must not hold up
  /// this one.
  private static boolean acquired(Lock lock) {
    return acquired(lock, MAX_WAIT_MILLIS);
  }

  private static boolean acquired(Lock lock, long millis) {
    try {
      return lock.tryLock(millis, TimeUnit.MILLISECONDS);
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
    return attributes(module, session, handle);
  }

  static KeyAttributes attributes(Cryptoki module, long session, long handle)
      throws TokenException {
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
    copies.forEach(copy -> handles.gone(copy, epoch));
    handles.closed(session, epoch);
    try (var _ = handles.enter()) {
      if (!handles.isFinalized(epoch)) {
        apart(() -> module.closeSession(session));
      }
    } catch (TokenException e) {
      log.atDebug().setCause(e).log("A session was gone before it was closed");
    }
  }
}

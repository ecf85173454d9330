package dev.hmacd.token;

import dev.hmacd.key.KeyAttributes;
import dev.hmacd.key.KeyAttributes.Unfit;
import dev.hmacd.key.KeyObject;
import dev.hmacd.key.MacAlgorithm;
import dev.hmacd.token.TokenException.Fault;
import dev.hmacd.token.TokenException.Kind;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// A session of a [Pkcs11Token].
final class Pkcs11Session implements TokenSession {
  private static final Logger log = LoggerFactory.getLogger(Pkcs11Session.class);

  /// State that all sessions of a token share.
  ///
  /// @param mechanisms the mechanisms that the token lists
  /// @param verify whether the token verifies each MAC (`C_Verify`) before its release
  /// @param modifiable whether the token copies only keys with CKA_MODIFIABLE true
  record Shared(
      Cryptoki module,
      Supplier<Set<Long>> mechanisms,
      boolean sessionCopies,
      boolean verify,
      Handles handles,
      AtomicBoolean modifiable,
      NewKeyType keyType,
      ObjectLock objectLock) {}

  private final Shared shared;
  private final Cryptoki module;
  private final Handles handles;
  private final long session;
  private final int epoch;
  private final KeyAttributeReader reader;
  private final KeySearch search;
  private final SessionCopies copies;
  private final KeyGeneration generation;

  /// Keys of the loaded handles, by handle.
  private final Map<Long, Loaded> loaded = new HashMap<>();

  /// Allowed mechanisms by handle, for the loaded keys that have CKA_ALLOWED_MECHANISMS.
  private final Map<Long, Set<Long>> restricted = new HashMap<>();

  /// The key of a loaded handle, with a reference count. A token may return the same handle from
  /// each search for an object. Such a handle stays loaded until all users have unloaded it.
  private record Loaded(KeyObject key, int uses) {}

  /// @param epoch the epoch of the handles ([Handles]) in which the session was opened
  Pkcs11Session(Shared shared, long session, int epoch) {
    this.shared = shared;
    this.module = shared.module();
    this.handles = shared.handles();
    this.session = session;
    this.epoch = epoch;
    reader = new KeyAttributeReader(module, session);
    search = new KeySearch(module, session, reader, shared.objectLock());
    copies = new SessionCopies(module, session, handles, epoch, shared.objectLock());
    generation = new KeyGeneration(shared, session, epoch, reader, copies);
  }

  @Override
  public long load(KeyObject key) throws TokenException {
    try (var _ = handles.enter(epoch);
        var _ = handles.beginSearch()) {
      long object = tokenObject(key);
      Set<Long> allowed = reader.allowedMechanisms(object); // A copy could lack the attribute.
      long handle = shared.sessionCopies() ? copied(key, object) : object;
      loaded(handle, key);
      if (!allowed.isEmpty()) {
        restricted.put(handle, allowed);
      }
      return handle;
    }
  }

  @Override
  public long loadTokenObject(KeyObject key) throws TokenException {
    try (var _ = handles.enter(epoch);
        var _ = handles.beginSearch()) {
      long handle = tokenObject(key);
      loaded(handle, key);
      return handle;
    } catch (TokenException e) {
      if (e.kind() == Kind.KEY_MISSING) {
        throw new TokenException(Kind.KEY_MISSING, e.getMessage() + "; " + others(key));
      }
      throw e;
    }
  }

  private void loaded(long handle, KeyObject key) throws TokenException {
    handles.recordInUse(handle, key, epoch);
    Loaded before = loaded.get(handle);
    int others = before != null && before.key().equals(key) ? before.uses() : 0;
    loaded.put(handle, new Loaded(key, others + 1));
  }

  private String others(KeyObject missing) throws TokenException {
    try (var _ = handles.enter(epoch)) {
      return search.describeOthers(missing);
    }
  }

  private long tokenObject(KeyObject key) throws TokenException {
    long[] found = search.find(key);
    if (found.length != 1) {
      throw found.length == 0
          ? new TokenException(
              Kind.KEY_MISSING, "no object on the token has the label " + key.label())
          : new TokenException(
              Kind.KEY_AMBIGUOUS, "more than one object on the token has the label " + key.label());
    }
    requireFit(key, found[0]);
    handles.recordHandle(found[0], key, epoch);
    return found[0];
  }

  /// Copies a token object to a session object, if the token permits copies.
  ///
  /// @return handle of the copy, or of the token object
  private long copied(KeyObject key, long object) throws TokenException {
    long copy = copies.copy(object);
    if (copy == object) {
      return object;
    }
    try {
      // Checks the label and id of the copy, too: a handle of another key is never used.
      requireFit(key, copy);
    } catch (TokenException e) {
      copies.destroy(copy);
      throw e;
    }
    return copy;
  }

  private void requireFit(KeyObject key, long handle) throws TokenException {
    if (!reader.name(handle).equals(key)) {
      throw new TokenException(
          Kind.KEY_UNFIT,
          "the label or id of the found object does not match the key " + key.label());
    }
    var unfit = reader.read(key, handle).unfit();
    if (unfit.isPresent()) {
      throw TokenException.unfit(unfit.get(), key.label() + ": " + unfit.get().text());
    }
  }

  @Override
  public boolean isCopy(long handle) {
    return copies.contains(handle);
  }

  @Override
  public void unload(long handle) throws TokenException {
    try (var _ = handles.enter(epoch)) {
      Loaded known = loaded.get(handle);
      if (known != null && known.uses() > 1) {
        loaded.put(handle, new Loaded(known.key(), known.uses() - 1));
        return;
      }
      loaded.remove(handle);
      restricted.remove(handle);
      copies.destroy(handle);
    }
  }

  @Override
  public byte[] sign(long handle, MacAlgorithm algorithm, byte[] message) throws TokenException {
    long mechanism = mechanism(algorithm);
    if (!restricted.isEmpty()) {
      requireAllowed(handle, mechanism, algorithm);
    }
    try (var _ = handles.enter(epoch)) {
      long before = handles.finishedSearches();
      byte[] mac = module.sign(session, mechanism, handle, message);
      boolean isReleased = false;
      try {
        if (mac.length != algorithm.macBytes()) {
          throw TokenException.fault(
              Fault.DEVICE, "C_Sign returned a MAC of " + mac.length + " bytes");
        }
        requireTrust(handle, before);
        if (shared.verify() && !module.verify(session, mechanism, handle, message, mac)) {
          throw TokenException.fault(Fault.WRONG_MAC, "C_Verify refused the MAC of C_Sign");
        }
        isReleased = true;
        return mac;
      } finally {
        if (!isReleased) {
          Arrays.fill(mac, (byte) 0); // The secret of an access key is made from a MAC.
        }
      }
    } catch (TokenException e) {
      if (e.fault() == Fault.OBJECT) {
        handles.endEpoch(epoch);
      }
      throw refused(handle, mechanism, e);
    }
  }

  /// Completes the failure of a MAC. CKR_MECHANISM_INVALID is a refusal of the key if the token
  /// lists the mechanism. A refusal concerns the key only if the handle still belongs to the key.
  private TokenException refused(long handle, long mechanism, TokenException e)
      throws TokenException {
    TokenException failure =
        isListed(mechanism, e)
            ? TokenException.fault(
                Fault.DEVICE, Ckr.unfit(Ckr.MECHANISM_INVALID), String.valueOf(e.getMessage()), e)
            : e;
    Loaded known = loaded.get(handle);
    if (failure.isKeyRefused() && known != null) {
      requireHandleOf(known.key(), handle);
    }
    return failure;
  }

  /// Checks that a handle still belongs to its key.
  ///
  /// @throws TokenException `STALE` if the handle belongs to another object
  private void requireHandleOf(KeyObject key, long handle) throws TokenException {
    try (var _ = handles.enter(epoch)) {
      if (reader.name(handle).equals(key)) {
        return;
      }
    } catch (TokenException e) {
      if (e.fault() == Fault.OBJECT) {
        handles.endEpoch(epoch);
      }
      throw e;
    }
    handles.endEpoch(epoch);
    throw Handles.stale();
  }

  /// Refuses an algorithm that CKA_ALLOWED_MECHANISMS excludes. The token's return code would not
  /// name the attribute.
  private void requireAllowed(long handle, long mechanism, MacAlgorithm algorithm)
      throws TokenException {
    Set<Long> allowed = restricted.get(handle);
    if (allowed != null && !allowed.contains(mechanism)) {
      throw TokenException.unfit(
          new Unfit(
              "CKA_ALLOWED_MECHANISMS",
              "must contain the mechanism of " + algorithm + ", or not be set",
              allowed.stream()
                  .sorted()
                  .map(each -> Pkcs11Token.NEEDED_MECHANISMS.getOrDefault(each, "CKM " + each))
                  .collect(Collectors.joining(", "))),
          "CKA_ALLOWED_MECHANISMS of a key lacks the mechanism of " + algorithm);
    }
  }

  /// Checks that the handle still belonged to its key when the MAC was computed.
  ///
  /// @param before result of [Handles#finishedSearches] before the computation
  /// @throws TokenException `STALE` if the epoch has ended
  private void requireTrust(long handle, long before) throws TokenException {
    if (handles.searchedSince(before) || handles.isShared(handle)) {
      Loaded known = loaded.get(handle);
      if (known == null || !reader.name(handle).equals(known.key())) {
        handles.endEpoch(epoch);
      }
    }
    if (handles.epoch() != epoch) {
      throw Handles.stale();
    }
  }

  /// Whether a failure is CKR_MECHANISM_INVALID for a mechanism that the token lists as supported.
  private boolean isListed(long mechanism, TokenException e) {
    return e.kind() == Kind.UNSUPPORTED && shared.mechanisms().get().contains(mechanism);
  }

  static long mechanism(MacAlgorithm algorithm) {
    return switch (algorithm) {
      case HMAC_SHA_224 -> CkConstants.CKM_SHA224_HMAC;
      case HMAC_SHA_256 -> CkConstants.CKM_SHA256_HMAC;
      case HMAC_SHA_384 -> CkConstants.CKM_SHA384_HMAC;
      case HMAC_SHA_512 -> CkConstants.CKM_SHA512_HMAC;
    };
  }

  @Override
  public KeyAttributes generate(KeyObject name, int keyBytes) throws TokenException {
    try (var _ = handles.enter(epoch);
        var _ = handles.beginSearch()) {
      return generation.generate(name, keyBytes);
    } catch (TokenException e) {
      throw isListed(generation.type(keyBytes).mechanism(), e)
          ? TokenException.fault(Fault.DEVICE, String.valueOf(e.getMessage()), e)
          : e;
    }
  }

  @Override
  public boolean destroy(KeyObject key) throws TokenException {
    try (var _ = handles.enter(epoch);
        var _ = handles.beginSearch()) {
      long[] found = search.find(key);
      if (found.length == 0) {
        return false;
      }
      if (found.length > 1) {
        throw new TokenException(
            Kind.KEY_AMBIGUOUS, "more than one object on the token has the label " + key.label());
      }
      if (!reader.name(found[0]).equals(key)) {
        throw new TokenException(
            Kind.KEY_UNFIT,
            "the label or id of the found object does not match the key " + key.label());
      }
      handles.recordHandle(found[0], key, epoch);
      try (var _ = shared.objectLock().forDestruction()) {
        module.destroy(session, found[0]);
      }
      handles.release(found[0], epoch); // The token may reuse the handle from now on.
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
        var _ = handles.beginSearch()) {
      long[] fitting =
          switch (query) {
            case Query.ByLabel(var label) -> search.find(label, null, MAX_FOUND);
            case Query.ById(var idHex) ->
                search.find(null, HexFormat.of().parseHex(idHex), MAX_FOUND);
            case Query.ByBoth(var object) -> search.find(object);
          };
      List<Found> found = new ArrayList<>();
      for (long handle : fitting) {
        KeyObject name = reader.name(handle);
        handles.recordHandle(handle, name, epoch);
        found.add(reader.read(name, handle));
      }
      return found;
    }
  }

  @Override
  public Count count(Set<String> labelPrefixes, int atMost) throws TokenException {
    try (var _ = handles.enter(epoch);
        var _ = handles.beginSearch()) {
      return search.count(labelPrefixes, atMost);
    }
  }

  @Override
  public void close() {
    copies.end();
    handles.sessionClosed(session, epoch);
    try (var _ = handles.enter()) {
      if (!handles.isFinalized(epoch)) {
        try (var _ = shared.objectLock().forDestruction()) {
          module.closeSession(session);
        }
      }
    } catch (TokenException e) {
      log.atDebug().setCause(e).log("C_CloseSession failed");
    }
  }
}

package dev.hmacd.token;

import dev.hmacd.key.KeyAttributes;
import dev.hmacd.key.KeyAttributes.Unfit;
import dev.hmacd.key.KeyObject;
import dev.hmacd.key.MacAlgorithm;
import dev.hmacd.token.TokenException.Fault;
import dev.hmacd.token.TokenException.Kind;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.Lock;
import java.util.concurrent.locks.ReadWriteLock;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// A session of a [Pkcs11Token].
final class Pkcs11Session implements TokenSession {
  private static final long MAX_WAIT_MILLIS = 1000;
  private static final long SHORT_WAIT_MILLIS = 100;

  /// Usage attributes that the template of a new key sets to false.
  static final Map<Long, Object> MACS_ALONE =
      Map.of(
          Cryptoki.CKA_ENCRYPT, false,
          Cryptoki.CKA_DECRYPT, false,
          Cryptoki.CKA_WRAP, false,
          Cryptoki.CKA_UNWRAP, false,
          Cryptoki.CKA_DERIVE, false);

  /// Attributes that the daemon reads of each key.
  private static final List<Long> READ =
      Stream.concat(
              KeyUse.FLAGS.values().stream().sorted(),
              Stream.of(
                  Cryptoki.CKA_SENSITIVE,
                  Cryptoki.CKA_EXTRACTABLE,
                  Cryptoki.CKA_SIGN,
                  Cryptoki.CKA_ALWAYS_SENSITIVE,
                  Cryptoki.CKA_NEVER_EXTRACTABLE,
                  Cryptoki.CKA_LOCAL,
                  Cryptoki.CKA_VALUE_LEN,
                  Cryptoki.CKA_KEY_TYPE))
          .toList();

  private static final Logger log = LoggerFactory.getLogger(Pkcs11Session.class);

  /// State that all sessions of a token share.
  ///
  /// @param mechanisms the mechanisms that the token lists
  /// @param verify whether a MAC is verified by the token before it is released
  /// @param modifiable whether the token copies only keys with CKA_MODIFIABLE true
  /// @param copying write lock for the creation or destruction of a copy, read lock for a search:
  ///   during a copy SoftHSM2 lists the session object as a token object, and other sessions find
  ///   the key twice
  record Shared(
      Cryptoki module,
      Supplier<Set<Long>> mechanisms,
      boolean sessionCopies,
      boolean verify,
      Handles handles,
      AtomicBoolean modifiable,
      ReadWriteLock copying) {}

  private final Shared shared;
  private final Cryptoki module;
  private final Handles handles;
  private final long session;
  private final int epoch;

  /// Loaded handles.
  private final Map<Long, Loaded> loaded = new HashMap<>();

  /// The handles that are copies.
  private final Set<Long> copies = new HashSet<>();

  /// Allowed mechanisms of loaded keys with CKA_ALLOWED_MECHANISMS.
  private final Map<Long, Set<Long>> restricted = new HashMap<>();

  /// A token may give one handle for each search of an object. The handle stays loaded until each
  /// of its users has unloaded it.
  private record Loaded(KeyObject key, int uses) {}

  /// @param epoch the epoch in which the session was opened
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
        var _ = handles.beginSearch()) {
      long handle = found(key);
      Set<Long> allowed = module.allowedMechanisms(session, handle);
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
        throw new TokenException(Kind.KEY_MISSING, e.getMessage() + "; " + present(key));
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

  /// Describes the objects on a token that lacks a key.
  private String present(KeyObject missing) throws TokenException {
    try (var _ = handles.enter(epoch)) {
      if (handles(missing.label(), null, MAX_FOUND).length > 0) {
        return "an object with this label has another CKA_ID";
      }
      int others = handles(null, null, MAX_FOUND).length;
      return switch (others) {
        case 0 -> "the token has no secret keys";
        case MAX_FOUND -> "the token has " + MAX_FOUND + " or more other secret keys";
        default -> "the token has other secret keys: " + others;
      };
    }
  }

  private long tokenObject(KeyObject key) throws TokenException {
    long[] found = handles(key);
    if (found.length != 1) {
      throw found.length == 0
          ? new TokenException(Kind.KEY_MISSING, "no object " + key.label() + " on the token")
          : new TokenException(Kind.KEY_AMBIGUOUS, "more than one object " + key.label());
    }
    requireFit(key, found[0]);
    handles.recordHandle(found[0], key, epoch);
    return found[0];
  }

  private long found(KeyObject key) throws TokenException {
    long handle = tokenObject(key);
    if (!shared.sessionCopies()) {
      return handle;
    }
    long copy = copy(handle);
    if (copy == handle) {
      return handle;
    }
    try {
      // Checks the name of the copy, too. A handle that does not name this key is never used.
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
    var unfit = read(key, handle).unfit();
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
      destroyCopy(handle);
    }
  }

  private void destroyCopy(long handle) throws TokenException {
    if (copies.remove(handle)) {
      handles.release(handle, epoch);
      apart(() -> module.destroy(session, handle));
    }
  }

  /// A change of session objects.
  private interface Change {
    void make() throws TokenException;
  }

  /// Changes session objects while no search runs: openCryptoki crashed in a search that met an
  /// object during its destruction. It does not wait for a search that hangs.
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
    if (!restricted.isEmpty()) {
      requireAllowed(handle, mechanism, algorithm);
    }
    try (var _ = handles.enter(epoch)) {
      long before = handles.finishedSearches();
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
        handles.endEpoch(epoch);
      }
      throw listed(mechanism, e);
    }
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
          "a key is not allowed for " + algorithm);
    }
  }

  /// Checks that the handle was of its key when it was used.
  private void requireTrust(long handle, long before) throws TokenException {
    if (handles.searchedSince(before) || handles.isShared(handle)) {
      Loaded known = loaded.get(handle);
      if (known == null || !name(handle).equals(known.key())) {
        handles.endEpoch(epoch);
      }
    }
    if (handles.epoch() != epoch) {
      throw Handles.stale();
    }
  }

  /// Maps CKR_MECHANISM_INVALID for a listed mechanism to a fault: the token supports the
  /// mechanism.
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
        var _ = handles.beginSearch()) {
      long handle = generated(name, keyBytes);
      Found made = read(name, handle);
      var unfit = made.unfit();
      if (unfit.isPresent() || !made.use().idleUses().isEmpty()) {
        module.destroy(session, handle);
        throw new TokenException(
            Kind.KEY_UNFIT,
            "the token made a key with other attributes than requested: "
                + unfit.map(Unfit::text).orElseGet(() -> made.use().idleUses() + " are true"));
      }
      return made.attributes();
    } catch (TokenException e) {
      throw listed(Cryptoki.CKM_GENERIC_SECRET_KEY_GEN, e);
    }
  }

  /// Generates a key with CKA_MODIFIABLE false, unless the token then does not copy it: SoftHSM2
  /// copies only modifiable keys, and without copies MACs take twice as long there.
  private long generated(KeyObject name, int keyBytes) throws TokenException {
    if (shared.modifiable().get()) {
      return generated(name, keyBytes, true);
    }
    long fixed = generated(name, keyBytes, false);
    if (!shared.sessionCopies() || isCopied(fixed)) {
      return fixed;
    }
    destroyNew(fixed);
    long modifiable = generated(name, keyBytes, true);
    if (isCopied(modifiable)) {
      shared.modifiable().set(true);
      return modifiable;
    }
    destroyNew(modifiable);
    return generated(name, keyBytes, false);
  }

  private long generated(KeyObject name, int keyBytes, boolean modifiable) throws TokenException {
    Map<Long, Object> uses = new HashMap<>(MACS_ALONE);
    uses.put(Cryptoki.CKA_MODIFIABLE, modifiable);
    long handle = module.generateSecretKey(session, name.label(), name.id(), keyBytes, uses);
    handles.recordHandle(handle, name, epoch);
    return handle;
  }

  private boolean isCopied(long handle) throws TokenException {
    long copy = copy(handle);
    if (copy == handle) {
      return false;
    }
    destroyCopy(copy);
    return true;
  }

  private void destroyNew(long handle) throws TokenException {
    module.destroy(session, handle);
    handles.release(handle, epoch);
  }

  @Override
  public boolean destroy(KeyObject key) throws TokenException {
    try (var _ = handles.enter(epoch);
        var _ = handles.beginSearch()) {
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
      handles.recordHandle(found[0], key, epoch);
      module.destroy(session, found[0]);
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
            case Query.ByLabel(var label) -> handles(label, null, MAX_FOUND);
            case Query.ById(var idHex) -> handles(null, HexFormat.of().parseHex(idHex), MAX_FOUND);
            case Query.ByBoth(var object) -> handles(object);
          };
      List<Found> found = new ArrayList<>();
      for (long handle : fitting) {
        KeyObject name = name(handle);
        handles.recordHandle(handle, name, epoch);
        found.add(read(name, handle));
      }
      return found;
    }
  }

  @Override
  public Count count(Set<String> labelPrefixes, int atMost) throws TokenException {
    List<byte[]> prefixes =
        labelPrefixes.stream().map(prefix -> prefix.getBytes(StandardCharsets.UTF_8)).toList();
    try (var _ = handles.enter(epoch);
        var _ = handles.beginSearch()) {
      int count = 0;
      long[] found = handles(null, null, atMost + 1); // One more shows whether these are all.
      for (long handle : Arrays.copyOf(found, Math.min(found.length, atMost))) {
        // Bytes: the labels of other programs need not be UTF-8.
        byte[] label = module.bytes(session, handle, Cryptoki.CKA_LABEL);
        if (label != null && prefixes.stream().anyMatch(prefix -> startsWith(label, prefix))) {
          count++;
        }
      }
      return new Count(count, found.length <= atMost);
    }
  }

  private static boolean startsWith(byte[] label, byte[] prefix) {
    return label.length >= prefix.length
        && Arrays.equals(label, 0, prefix.length, prefix, 0, prefix.length);
  }

  /// The token objects with this label and id.
  private long[] handles(KeyObject key) throws TokenException {
    if (!key.idHex().isEmpty()) {
      return handles(key.label(), key.id(), MAX_FOUND);
    }
    // Some tokens do not find an object without an id if the template has an empty CKA_ID.
    List<Long> withoutId = new ArrayList<>();
    for (long handle : handles(key.label(), null, MAX_FOUND)) {
      if (name(handle).idHex().isEmpty()) {
        withoutId.add(handle);
      }
    }
    return withoutId.stream().mapToLong(Long::longValue).toArray();
  }

  /// The token objects that match.
  private long[] handles(@Nullable String label, byte @Nullable [] id, int limit)
      throws TokenException {
    boolean held = acquired(shared.copying().readLock());
    try {
      long[] found = module.findSecretKeys(session, label, id, limit);
      if (found.length > 0) {
        return found;
      }
      // Without a login a search returns no private objects, and no error.
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

  /// The handle of a session copy, or of the token object itself if the token does not copy it.
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
        log.atDebug().setCause(e).log("Key not copied by the token; the token object is used");
        return handle;
      }
      throw e;
    } finally {
      shared.copying().writeLock().unlock();
    }
  }

  /// Waits for a lock with a short limit: a call of another lane may hang under the lock, and must
  /// not block this lane.
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

  /// Decodes strictly: a search would not find a label with replacement characters.
  private static String text(byte[] label) throws TokenException {
    try {
      return StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(label)).toString();
    } catch (CharacterCodingException e) {
      throw TokenException.unfit(
          new Unfit("CKA_LABEL", "must be UTF-8"), "a label is not UTF-8: " + e);
    }
  }

  private Found read(KeyObject name, long handle) throws TokenException {
    return read(module, session, name, handle);
  }

  /// Attributes of a key on the token.
  static Found read(Cryptoki module, long session, KeyObject name, long handle)
      throws TokenException {
    Map<Long, Object> values = module.attributes(session, handle, READ);
    Map<String, Boolean> flags = new HashMap<>();
    KeyUse.FLAGS.forEach(
        (flag, type) -> {
          if (values.get(type) instanceof Boolean value) {
            flags.put(flag, value);
          }
        });
    return new Found(
        name,
        new KeyAttributes(
            flag(values, Cryptoki.CKA_SENSITIVE),
            flag(values, Cryptoki.CKA_EXTRACTABLE),
            flag(values, Cryptoki.CKA_SIGN),
            flag(values, Cryptoki.CKA_ALWAYS_SENSITIVE),
            flag(values, Cryptoki.CKA_NEVER_EXTRACTABLE),
            flag(values, Cryptoki.CKA_LOCAL),
            values.get(Cryptoki.CKA_VALUE_LEN) instanceof Long keyBytes
                ? Math.toIntExact(keyBytes)
                : null),
        new KeyUse(flags, values.get(Cryptoki.CKA_KEY_TYPE) instanceof Long type ? type : null));
  }

  private static @Nullable Boolean flag(Map<Long, Object> values, long type) {
    return values.get(type) instanceof Boolean value ? value : null;
  }

  @Override
  public void close() {
    copies.forEach(copy -> handles.release(copy, epoch));
    handles.sessionClosed(session, epoch);
    try (var _ = handles.enter()) {
      if (!handles.isFinalized(epoch)) {
        apart(() -> module.closeSession(session));
      }
    } catch (TokenException e) {
      log.atDebug().setCause(e).log("Session not closed: the token has ended it");
    }
  }
}

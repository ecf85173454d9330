package dev.hmacd.token;

import dev.hmacd.token.TokenException.Fault;
import java.util.HashSet;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Session objects that a session copied from token objects (`C_CopyObject`), because MACs under
/// session objects are faster.
final class SessionCopies {
  private static final Logger log = LoggerFactory.getLogger(SessionCopies.class);

  private final Cryptoki module;
  private final long session;
  private final Handles handles;
  private final int epoch;
  private final ObjectLock objectLock;

  /// Handles of the copies.
  private final Set<Long> copies = new HashSet<>();

  SessionCopies(Cryptoki module, long session, Handles handles, int epoch, ObjectLock objectLock) {
    this.module = module;
    this.session = session;
    this.handles = handles;
    this.epoch = epoch;
    this.objectLock = objectLock;
  }

  boolean contains(long handle) {
    return copies.contains(handle);
  }

  /// Copies a token object to a session object.
  ///
  /// @return handle of the copy, or of the token object if there is no copy
  long copy(long handle) throws TokenException {
    Optional<ObjectLock.Hold> held = objectLock.forCopy();
    if (held.isEmpty()) {
      return handle;
    }
    try (var _ = held.get()) {
      long copy = module.copy(session, handle, KeyTemplates.sessionCopy(Map.of()));
      copies.add(copy);
      return copy;
    } catch (TokenException e) {
      if (e.fault() == Fault.DEVICE || e.fault() == Fault.NONE) {
        log.atDebug().setCause(e).log("Key not copied by the token; the token object is used");
        return handle;
      }
      throw e;
    }
  }

  /// Whether the token copies a key. The method destroys its trial copy.
  boolean canCopy(long handle) throws TokenException {
    long copy = copy(handle);
    if (copy == handle) {
      return false;
    }
    destroy(copy);
    return true;
  }

  /// Destroys a copy. Does nothing if the handle does not belong to a copy.
  void destroy(long handle) throws TokenException {
    if (copies.remove(handle)) {
      handles.release(handle, epoch);
      try (var _ = objectLock.forDestruction()) {
        module.destroy(session, handle);
      }
    }
  }

  /// Releases the handles of all copies, because the copies end with their session.
  void end() {
    copies.forEach(copy -> handles.release(copy, epoch));
  }
}

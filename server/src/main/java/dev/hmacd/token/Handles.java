package dev.hmacd.token;

import com.google.errorprone.annotations.ThreadSafe;
import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.hmacd.key.KeyObject;
import dev.hmacd.token.TokenException.Fault;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.Lock;
import java.util.concurrent.locks.ReadWriteLock;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Object and session handles of all sessions of a token. Detects a handle that the token has
/// reused for another object or session.
///
/// A token may reuse the number of an invalid handle. So the first invalid handle ends the epoch:
/// no handle of any session is used after it. The epoch also ends if a token returns a handle that
/// is in use for another object or session. A MAC that was computed during a search of any session
/// is released only after the key's label and id were read again. During the search, the token may
/// have reused the number of the key's handle.
@ThreadSafe
final class Handles {
  private static final Logger log = LoggerFactory.getLogger(Handles.class);

  private final OfModule module;
  private final Map<Long, KeyObject> keys = new ConcurrentHashMap<>();

  /// Handles of the open sessions with this token.
  @GuardedBy("itself")
  private final Set<Long> open = new HashSet<>();

  private final Scope leaving;
  private final Scope searchEnding;

  /// A call into the module, or a search; [#close] marks its end.
  interface Scope extends AutoCloseable {
    @Override
    void close();
  }

  /// State that the sessions of all tokens of a module share. Session handles are unique in a
  /// module. Object handles of two tokens may be equal.
  static final class OfModule {
    /// The read lock is held during each call into the module. The write lock is held while the
    /// module is finalized.
    private final ReadWriteLock inside = new ReentrantReadWriteLock();

    private final AtomicInteger epoch = new AtomicInteger();
    private final Set<Long> sessions = ConcurrentHashMap.newKeySet();
    private final AtomicLong searchesBegun = new AtomicLong();
    private final AtomicLong searchesEnded = new AtomicLong();
    private final List<Handles> tokens = new CopyOnWriteArrayList<>();

    /// Object handles that more than one token of the module has returned for a key.
    private final Set<Long> shared = ConcurrentHashMap.newKeySet();

    /// Epoch that the last C_Finalize started; sessions of earlier epochs have ended. Written under
    /// the write lock.
    private volatile int finalizedBefore;

    Lock exclusiveLock() {
      return inside.writeLock();
    }

    /// Starts a new epoch, because the module will be finalized. The caller must hold the module's
    /// write lock.
    void finalizing() {
      endEpoch(epoch.get());
      finalizedBefore = epoch.get();
    }

    private void endEpoch(int of) {
      if (epoch.compareAndSet(of, of + 1)) {
        tokens.forEach(Handles::forget);
        sessions.clear();
        shared.clear();
        log.atInfo().log(
            "PKCS#11 handles of the module invalidated: all sessions of the module are"
                + " reopened");
      }
    }
  }

  Handles(OfModule module) {
    this.module = module;
    this.leaving = () -> module.inside.readLock().unlock();
    this.searchEnding = module.searchesEnded::incrementAndGet;
    module.tokens.add(this);
  }

  int epoch() {
    return module.epoch.get();
  }

  /// Whether C_Finalize ended the sessions of an epoch. Sessions of a later epoch may have the same
  /// handles.
  boolean isFinalized(int of) {
    return of < module.finalizedBefore;
  }

  /// Begins a call into the module. The module is not finalized before the call ends.
  Scope enter() {
    module.inside.readLock().lock();
    return leaving;
  }

  /// As [#enter()], but checks that the epoch of the caller's handles has not ended.
  ///
  /// @throws TokenException `STALE` if the epoch has ended
  Scope enter(int of) throws TokenException {
    module.inside.readLock().lock();
    if (of != epoch()) {
      module.inside.readLock().unlock();
      throw stale();
    }
    return leaving;
  }

  static TokenException stale() {
    return TokenException.fault(
        Fault.STALE, "all handles of this session were invalidated: open a new session");
  }

  /// Ends an epoch, unless it has ended already.
  void endEpoch(int of) {
    module.endEpoch(of);
  }

  /// Records the handle of a new session. Ends the epoch if another session has the same handle.
  void sessionOpened(long session, int of) throws TokenException {
    if (!module.sessions.add(session)) {
      endEpoch(of);
      throw stale();
    }
    synchronized (open) {
      open.add(session);
    }
  }

  /// Forgets the handle of a session that is to be closed. The close of the last session ends the
  /// login (PKCS#11, C_CloseSession): then the token may reuse the handles of all keys.
  void sessionClosed(long session, int of) {
    if (of != epoch()) {
      return;
    }
    module.sessions.remove(session);
    synchronized (open) {
      open.remove(session);
      if (open.isEmpty()) {
        keys.clear();
      }
    }
  }

  private void forget() {
    keys.clear();
    synchronized (open) {
      open.clear();
    }
  }

  /// Begins a search, or another call in which the token may assign handles to objects.
  Scope beginSearch() {
    module.searchesBegun.incrementAndGet();
    return searchEnding;
  }

  /// Records the handle that the token returned for a key. Ends the epoch if the handle is in use
  /// for another key.
  void recordHandle(long handle, KeyObject key, int of) throws TokenException {
    for (Handles token : module.tokens) {
      if (token != this && token.keys.containsKey(handle)) {
        module.shared.add(handle);
      }
    }
    KeyObject other = keys.get(handle);
    if (other != null && !other.equals(key)) {
      endEpoch(of);
      throw stale();
    }
  }

  /// As [#recordHandle], but the handle stays in use until [#release].
  void recordInUse(long handle, KeyObject key, int of) throws TokenException {
    keys.putIfAbsent(handle, key);
    recordHandle(handle, key, of);
  }

  void release(long handle, int of) {
    if (of == epoch()) {
      keys.remove(handle);
    }
  }

  /// Number of finished searches, an argument for [#searchedSince]; -1 while a search is in flight.
  long finishedSearches() {
    long ended = module.searchesEnded.get();
    return ended == module.searchesBegun.get() ? ended : -1;
  }

  /// Whether a search was in flight at any time since a call of [#finishedSearches].
  ///
  /// @param moment result of [#finishedSearches]
  boolean searchedSince(long moment) {
    return module.searchesBegun.get() != moment;
  }

  /// Whether another token of the module has returned the same handle for a key. Some modules
  /// number the objects of each token separately. Any other module would confuse the two objects.
  boolean isShared(long handle) {
    return !module.shared.isEmpty() && module.shared.contains(handle);
  }
}

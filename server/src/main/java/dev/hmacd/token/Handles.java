package dev.hmacd.token;

import com.google.errorprone.annotations.ThreadSafe;
import dev.hmacd.key.KeyObject;
import dev.hmacd.token.TokenException.Fault;
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

/// Object and session handles of all sessions of a token. Detects a handle that refers to another
/// object, or another session, than the user of the handle expects.
///
/// A token may reuse the number of an invalid handle. So the first invalid handle ends the epoch:
/// all handles of all sessions become invalid. The epoch also ends if a token returns a handle that
/// is in use for another object or session. A MAC that was computed during a search of any session
/// is released only after the name of its key was read again: the search may have reused the number
/// of the key's handle.
@ThreadSafe
final class Handles {
  private static final Logger log = LoggerFactory.getLogger(Handles.class);

  private final OfModule module;
  private final Map<Long, KeyObject> keys = new ConcurrentHashMap<>();
  private final Scope leaving;
  private final Scope searchEnding;

  /// A call into the module, or a search, which [#close] ends.
  interface Scope extends AutoCloseable {
    @Override
    void close();
  }

  /// State that the sessions of all tokens of a module share. A session handle does not identify
  /// its token, and an object handle need not.
  static final class OfModule {
    /// Read lock: during a call into the module. Write lock: while the module is finalized.
    private final ReadWriteLock inside = new ReentrantReadWriteLock();

    private final AtomicInteger epoch = new AtomicInteger();
    private final Set<Long> sessions = ConcurrentHashMap.newKeySet();
    private final AtomicLong searchesBegun = new AtomicLong();
    private final AtomicLong searchesEnded = new AtomicLong();
    private final List<Handles> tokens = new CopyOnWriteArrayList<>();

    /// Handles that more than one token has given to a key.
    private final Set<Long> shared = ConcurrentHashMap.newKeySet();

    /// Sessions of epochs before this one ended with C_Finalize. Written under the write lock.
    private volatile int finalizedBefore;

    Lock exclusiveLock() {
      return inside.writeLock();
    }

    /// Starts a new epoch, because the module is finalized. The caller holds the write lock.
    void finalizing() {
      endEpoch(epoch.get());
      finalizedBefore = epoch.get();
    }

    private void endEpoch(int of) {
      if (epoch.compareAndSet(of, of + 1)) {
        tokens.forEach(token -> token.keys.clear());
        sessions.clear();
        shared.clear();
        log.atInfo().log("Handles invalidated: all sessions are reopened");
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

  /// Whether C_Finalize ended the sessions of an epoch. New sessions may have the same handles.
  boolean isFinalized(int of) {
    return of < module.finalizedBefore;
  }

  /// Begins a call into the module. The module is not finalized before the call ends.
  Scope enter() {
    module.inside.readLock().lock();
    return leaving;
  }

  /// Like [#enter()], for handles of an epoch.
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
    return TokenException.fault(Fault.STALE, "the session is of an epoch that has ended");
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
  }

  void sessionClosed(long session, int of) {
    if (of == epoch()) {
      module.sessions.remove(session);
    }
  }

  /// Begins a search, in which the token may give handles to keys.
  Scope beginSearch() {
    module.searchesBegun.incrementAndGet();
    return searchEnding;
  }

  /// Records that the token gave a handle for a key. Ends the epoch if the handle is in use for
  /// another key.
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

  /// Like [#recordHandle], for a handle that stays in use until [#release].
  void recordInUse(long handle, KeyObject key, int of) throws TokenException {
    keys.putIfAbsent(handle, key);
    recordHandle(handle, key, of);
  }

  void release(long handle, int of) {
    if (of == epoch()) {
      keys.remove(handle);
    }
  }

  /// The number of finished searches, for [#searchedSince]; -1 while a search is in flight.
  long finishedSearches() {
    long ended = module.searchesEnded.get();
    return ended == module.searchesBegun.get() ? ended : -1;
  }

  /// Whether a search was in flight at any time since a value of [#finishedSearches].
  boolean searchedSince(long moment) {
    return module.searchesBegun.get() != moment;
  }

  /// Whether another token of the module has given the same handle to a key. Some modules number
  /// the objects of each token on their own. Other modules would confuse the two objects.
  boolean isShared(long handle) {
    return !module.shared.isEmpty() && module.shared.contains(handle);
  }
}

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

/// Object and session handles of all sessions of a token. It detects a handle that stands for
/// another object, or another session, than its user expects.
///
/// A token may reuse the number of an invalid handle. So the first invalid handle ends the epoch:
/// all handles of all sessions are invalid from then on. A number that the token gives out while
/// another session still uses it ends the epoch, too. A MAC that was computed during a search of
/// any session is released only after the name of its key was read again: the search may have
/// reused the number of the key's handle.
@ThreadSafe
final class Handles {
  private static final Logger log = LoggerFactory.getLogger(Handles.class);

  private final OfModule module;
  private final Map<Long, KeyObject> keys = new ConcurrentHashMap<>();
  private final Inside leaving;
  private final Inside lookUpEnding;

  /// Ends a call into the module, or a search.
  interface Inside extends AutoCloseable {
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
    private final AtomicLong lookUpsBegun = new AtomicLong();
    private final AtomicLong lookUpsEnded = new AtomicLong();
    private final List<Handles> tokens = new CopyOnWriteArrayList<>();

    /// Handles that more than one token has given to a key.
    private final Set<Long> common = ConcurrentHashMap.newKeySet();

    /// Sessions of epochs before this one ended with C_Finalize. Written under the write lock.
    private volatile int finalizedBefore;

    Lock alone() {
      return inside.writeLock();
    }

    /// Starts a new epoch, because the module is finalized. The caller holds the write lock.
    void finalizing() {
      distrust(epoch.get());
      finalizedBefore = epoch.get();
    }

    private void distrust(int of) {
      if (epoch.compareAndSet(of, of + 1)) {
        tokens.forEach(token -> token.keys.clear());
        sessions.clear();
        common.clear();
        log.atInfo().log("Handles invalidated: all sessions are reopened");
      }
    }
  }

  Handles(OfModule module) {
    this.module = module;
    this.leaving = () -> module.inside.readLock().unlock();
    this.lookUpEnding = module.lookUpsEnded::incrementAndGet;
    module.tokens.add(this);
  }

  int epoch() {
    return module.epoch.get();
  }

  /// Whether C_Finalize ended the sessions of an epoch. Other sessions may have their handles now.
  boolean isFinalized(int of) {
    return of < module.finalizedBefore;
  }

  /// Begins a call into the module. The module is not finalized before the call ends.
  Inside enter() {
    module.inside.readLock().lock();
    return leaving;
  }

  /// Like [#enter()], for handles of an epoch.
  ///
  /// @throws TokenException `STALE` if the epoch has ended
  Inside enter(int of) throws TokenException {
    module.inside.readLock().lock();
    if (of != epoch()) {
      module.inside.readLock().unlock();
      throw stale();
    }
    return leaving;
  }

  static TokenException stale() {
    return TokenException.fault(Fault.STALE, "the session is from before a recovery");
  }

  /// Ends an epoch, unless it has ended already.
  void distrust(int of) {
    module.distrust(of);
  }

  /// Records the handle of a new session. Ends the epoch if another session has the same handle.
  void opened(long session, int of) throws TokenException {
    if (!module.sessions.add(session)) {
      distrust(of);
      throw stale();
    }
  }

  void closed(long session, int of) {
    if (of == epoch()) {
      module.sessions.remove(session);
    }
  }

  /// Begins a search, in which the token may give handles to keys.
  Inside lookUp() {
    module.lookUpsBegun.incrementAndGet();
    return lookUpEnding;
  }

  /// Records that the token gave a handle for a key. Ends the epoch if the handle is in use for
  /// another key.
  void seen(long handle, KeyObject key, int of) throws TokenException {
    for (Handles token : module.tokens) {
      if (token != this && token.keys.containsKey(handle)) {
        module.common.add(handle);
      }
    }
    KeyObject other = keys.get(handle);
    if (other != null && !other.equals(key)) {
      distrust(of);
      throw stale();
    }
  }

  /// Like [#seen], for a handle that stays in use until [#gone].
  void kept(long handle, KeyObject key, int of) throws TokenException {
    keys.putIfAbsent(handle, key);
    seen(handle, key, of);
  }

  void gone(long handle, int of) {
    if (of == epoch()) {
      keys.remove(handle);
    }
  }

  /// The number of finished searches, for [#lookedUpSince]; -1 while a search is in flight.
  long now() {
    long ended = module.lookUpsEnded.get();
    return ended == module.lookUpsBegun.get() ? ended : -1;
  }

  /// Whether a search was in flight at any time since a value of [#now].
  boolean lookedUpSince(long moment) {
    return module.lookUpsBegun.get() != moment;
  }

  /// Whether another token of the module has given the same handle to a key. Some modules number
  /// the objects of each token on their own. Other modules would confuse the two objects.
  boolean isCommon(long handle) {
    return !module.common.isEmpty() && module.common.contains(handle);
  }
}

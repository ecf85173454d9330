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

/// What the sessions of one token know of each other, so that no handle stands for another key, or
/// another session, than its holder thinks.
///
/// A token may give the number of a handle that it has invalidated to something else. So the first
/// handle that turns out not to be valid puts all of them in doubt, in every session: they belong
/// to an epoch that is over. So does a number that is given while somebody else still has it. And a
/// MAC that was made while any session looked for keys is released only after its own key's name
/// was read again: the look-up may have given that key's number away.
@ThreadSafe
final class Handles {
  private static final Logger log = LoggerFactory.getLogger(Handles.class);

  private final OfModule module;
  private final Map<Long, KeyObject> keys = new ConcurrentHashMap<>();
  private final Inside leaving;
  private final Inside lookUpEnding;

  /// The end of a stay in the module.
  interface Inside extends AutoCloseable {
    @Override
    void close();
  }

  /// What the sessions of all tokens of a module have in common: a session's number names no token,
  /// and an object's need not.
  static final class OfModule {
    /// Held to read while in the module, and to write while it is finalized.
    private final ReadWriteLock inside = new ReentrantReadWriteLock();

    private final AtomicInteger epoch = new AtomicInteger();
    private final Set<Long> sessions = ConcurrentHashMap.newKeySet();
    private final AtomicLong lookUpsBegun = new AtomicLong();
    private final AtomicLong lookUpsEnded = new AtomicLong();
    private final List<Handles> tokens = new CopyOnWriteArrayList<>();

    /// Numbers that more than one token has given to a key.
    private final Set<Long> common = ConcurrentHashMap.newKeySet();

    /// Sessions of epochs before this one ended with the module. Written by who is alone in it.
    private volatile int finalizedBefore;

    Lock alone() {
      return inside.writeLock();
    }

    /// The module is being finalized, by who is alone in it: a new epoch begins.
    void finalizing() {
      distrust(epoch.get());
      finalizedBefore = epoch.get();
    }

    private void distrust(int of) {
      if (epoch.compareAndSet(of, of + 1)) {
        tokens.forEach(token -> token.keys.clear());
        sessions.clear();
        common.clear();
        log.atInfo().log("Handles may have changed: every session is opened anew");
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

  /// Whether what was opened in an epoch is gone: its numbers may be others' now.
  boolean isFinalized(int of) {
    return of < module.finalizedBefore;
  }

  /// Begins a stay in the module: it is not finalized before the end.
  Inside enter() {
    module.inside.readLock().lock();
    return leaving;
  }

  /// As [#enter()], for handles of an epoch.
  ///
  /// @throws TokenException `STALE` when that is over
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

  /// Ends an epoch, unless that has been done.
  void distrust(int of) {
    module.distrust(of);
  }

  /// Notes a new session's handle.
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

  /// Begins a look-up, after which the token may have given numbers to keys.
  Inside lookUp() {
    module.lookUpsBegun.incrementAndGet();
    return lookUpEnding;
  }

  /// Sees which key the token has given a handle for.
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

  /// As [#seen], of a handle that is kept until it is [#gone].
  void kept(long handle, KeyObject key, int of) throws TokenException {
    keys.putIfAbsent(handle, key);
    seen(handle, key, of);
  }

  void gone(long handle, int of) {
    if (of == epoch()) {
      keys.remove(handle);
    }
  }

  /// A moment, to ask later whether there was a look-up since.
  long now() {
    long ended = module.lookUpsEnded.get();
    return ended == module.lookUpsBegun.get() ? ended : -1;
  }

  /// Whether a look-up was under way at any time since a moment from [#now].
  boolean lookedUpSince(long moment) {
    return module.lookUpsBegun.get() != moment;
  }

  /// Whether another token of the module has given the same number to a key: some count for
  /// themselves, and others would take the one for the other.
  boolean isCommon(long handle) {
    return !module.common.isEmpty() && module.common.contains(handle);
  }
}

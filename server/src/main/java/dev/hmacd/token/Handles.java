package dev.hmacd.token;

import com.google.errorprone.annotations.ThreadSafe;
import dev.hmacd.key.KeyObject;
import dev.hmacd.token.TokenException.Fault;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.ReadWriteLock;
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

  /// Held to read while in the module, and to write while it is finalized.
  private final ReadWriteLock module;

  private final AtomicInteger epoch = new AtomicInteger();
  private final Map<Long, KeyObject> keys = new ConcurrentHashMap<>();
  private final Set<Long> sessions = ConcurrentHashMap.newKeySet();
  private final AtomicLong lookUpsBegun = new AtomicLong();
  private final AtomicLong lookUpsEnded = new AtomicLong();

  /// The end of a stay in the module.
  interface Inside extends AutoCloseable {
    @Override
    void close();
  }

  private final Inside leaving;

  private final Inside lookUpEnding = lookUpsEnded::incrementAndGet;

  /// Sessions of epochs before this one ended with the module. Written by who is alone in it.
  private volatile int finalizedBefore;

  /// @param module held to write by who finalizes it
  Handles(ReadWriteLock module) {
    this.module = module;
    this.leaving = () -> module.readLock().unlock();
  }

  int epoch() {
    return epoch.get();
  }

  /// Whether what was opened in an epoch is gone: its numbers may be others' now.
  boolean isFinalized(int of) {
    return of < finalizedBefore;
  }

  /// Begins a stay in the module: it is not finalized before the end.
  Inside enter() {
    module.readLock().lock();
    return leaving;
  }

  /// As [#enter()], for handles of an epoch.
  ///
  /// @throws TokenException `STALE` when that is over
  Inside enter(int of) throws TokenException {
    module.readLock().lock();
    if (of != epoch.get()) {
      module.readLock().unlock();
      throw stale();
    }
    return leaving;
  }

  static TokenException stale() {
    return TokenException.fault(Fault.STALE, "the session is from before a recovery");
  }

  /// The module is being finalized, by who is alone in it: a new epoch begins.
  void finalizing() {
    distrust(epoch.get());
    finalizedBefore = epoch.get();
  }

  /// Ends an epoch, unless that has been done.
  void distrust(int of) {
    if (epoch.compareAndSet(of, of + 1)) {
      keys.clear();
      sessions.clear();
      log.atInfo().log("Handles may have changed: every session is opened anew");
    }
  }

  /// Notes a new session's handle.
  void opened(long session, int of) throws TokenException {
    if (!sessions.add(session)) {
      distrust(of);
      throw stale();
    }
  }

  void closed(long session, int of) {
    if (of == epoch.get()) {
      sessions.remove(session);
    }
  }

  /// Begins a look-up, after which the token may have given numbers to keys.
  Inside lookUp() {
    lookUpsBegun.incrementAndGet();
    return lookUpEnding;
  }

  /// Sees which key the token has given a handle for.
  void seen(long handle, KeyObject key, int of) throws TokenException {
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
    if (of == epoch.get()) {
      keys.remove(handle);
    }
  }

  /// A moment, to ask later whether there was a look-up since.
  long now() {
    long ended = lookUpsEnded.get();
    return ended == lookUpsBegun.get() ? ended : -1;
  }

  /// Whether a look-up was under way at any time since a moment from [#now].
  boolean lookedUpSince(long moment) {
    return lookUpsBegun.get() != moment;
  }
}

package dev.hmacd.transport;

import com.google.errorprone.annotations.ThreadSafe;
import com.google.errorprone.annotations.concurrent.GuardedBy;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.SequencedSet;
import java.util.function.BiConsumer;

/// A limit on concurrent holders, such as connections, shared fairly between their owners.
///
/// An owner may take any free permit. If no permit is free, the oldest holder of the owner with the
/// most permits is evicted. A new holder is refused if the eviction would give its owner more
/// permits than the owner of the evicted holder.
///
/// @param <P> the holder of a permit, such as a connection; compared by `equals`
@ThreadSafe
public final class FairLimit<P> {
  private final int permits;
  private final BiConsumer<Object, P> evict;

  @GuardedBy("this")
  private final Map<Object, SequencedSet<P>> owners = new HashMap<>();

  @GuardedBy("this")
  private int taken;

  /// @param evict ends an evicted holder, and gets its owner; called without a lock, on the thread
  ///   of the new holder
  public FairLimit(int permits, BiConsumer<Object, P> evict) {
    this.permits = permits;
    this.evict = evict;
  }

  /// Takes a permit, if necessary by an eviction. [#leave] must follow if the result is true.
  ///
  /// @return whether the new holder got a permit
  public boolean enter(Object owner, P holder) {
    Object loser;
    P evicted;
    synchronized (this) {
      if (taken < permits) {
        add(owner, holder);
        return true;
      }
      int own = sizeOf(owner);
      var most =
          Collections.max(
              owners.entrySet(), Comparator.comparingInt(entry -> entry.getValue().size()));
      if (most.getValue().size() < own + 2) {
        return false;
      }
      evicted = most.getValue().getFirst();
      loser = most.getKey();
      remove(loser, evicted);
      add(owner, holder);
    }
    evict.accept(loser, evicted);
    return true;
  }

  @GuardedBy("this")
  private int sizeOf(Object owner) {
    SequencedSet<P> own = owners.get(owner);
    return own == null ? 0 : own.size();
  }

  @GuardedBy("this")
  private void add(Object owner, P holder) {
    if (owners.computeIfAbsent(owner, _ -> new LinkedHashSet<>()).add(holder)) {
      taken++;
    }
  }

  @GuardedBy("this")
  private boolean remove(Object owner, P holder) {
    SequencedSet<P> own = owners.get(owner);
    if (own == null || !own.remove(holder)) {
      return false;
    }
    taken--;
    if (own.isEmpty()) {
      owners.remove(owner);
    }
    return true;
  }

  /// Releases the permit of a holder.
  ///
  /// @return whether the holder still had its permit
  public synchronized boolean leave(Object owner, P holder) {
    return remove(owner, holder);
  }

  /// Number of permits in use.
  public synchronized int taken() {
    return taken;
  }
}

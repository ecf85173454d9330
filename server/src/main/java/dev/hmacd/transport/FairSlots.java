package dev.hmacd.transport;

import com.google.errorprone.annotations.ThreadSafe;
import com.google.errorprone.annotations.concurrent.GuardedBy;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.SequencedSet;
import java.util.function.Consumer;

/// Shares a fixed number of places fairly between owners.
///
/// An owner may take any free place. If no place is free, the owner with most places loses its
/// oldest, provided that it then still has at least as many places as the newcomer's owner.
///
/// @param <P> the holder of a place, such as a connection; compared by `equals`
@ThreadSafe
public final class FairSlots<P> {
  private final int places;
  private final Consumer<P> evict;

  @GuardedBy("this")
  private final Map<Object, SequencedSet<P>> owners = new HashMap<>();

  @GuardedBy("this")
  private int taken;

  /// @param evict ends the holder that lost its place; called without a lock, on the newcomer's
  ///   thread
  public FairSlots(int places, Consumer<P> evict) {
    this.places = places;
    this.evict = evict;
  }

  /// Takes a place; [#leave] must follow if the result is true.
  ///
  /// @return whether a place was taken
  public boolean enter(Object owner, P place) {
    P evicted;
    synchronized (this) {
      if (taken < places) {
        add(owner, place);
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
      remove(most.getKey(), evicted);
      add(owner, place);
    }
    evict.accept(evicted);
    return true;
  }

  @GuardedBy("this")
  private int sizeOf(Object owner) {
    SequencedSet<P> own = owners.get(owner);
    return own == null ? 0 : own.size();
  }

  @GuardedBy("this")
  private void add(Object owner, P place) {
    if (owners.computeIfAbsent(owner, _ -> new LinkedHashSet<>()).add(place)) {
      taken++;
    }
  }

  @GuardedBy("this")
  private boolean remove(Object owner, P place) {
    SequencedSet<P> own = owners.get(owner);
    if (own == null || !own.remove(place)) {
      return false;
    }
    taken--;
    if (own.isEmpty()) {
      owners.remove(owner);
    }
    return true;
  }

  /// Releases a place.
  ///
  /// @return whether it was still taken
  public synchronized boolean leave(Object owner, P place) {
    return remove(owner, place);
  }

  /// Places in use.
  public synchronized int taken() {
    return taken;
  }
}

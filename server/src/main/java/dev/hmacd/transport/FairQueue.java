package dev.hmacd.transport;

import io.netty.channel.EventLoop;
import io.netty.util.concurrent.FastThreadLocal;
import java.util.ArrayDeque;
import java.util.HashMap;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Fair queueing of the input of one event loop: round robin over the owners of the connections, in
/// bytes. All methods run on the event loop.
///
/// An event loop reads all ready connections in one pass. Without this queue, a caller would wait
/// until the input of all other callers is decoded. In each pass, the event loop decodes at most
/// [#QUANTUM_BYTES] of one owner. Further input of this owner waits for later passes. If an owner
/// has no waiting input, its new input is decoded at once, up to this quantum.
final class FairQueue {
  /// Maximum number of bytes that the event loop decodes for one owner in each pass.
  static final int QUANTUM_BYTES = 8 << 10;

  /// After this number of decoded bytes of waiting input, a pass serves no further owner.
  private static final int ROUND_BYTES = 4 * QUANTUM_BYTES;

  /// Maximum number of bytes decoded from one connection before the next connection of the same
  /// owner.
  static final int SLICE_BYTES = 4 << 10;

  private static final Logger log = LoggerFactory.getLogger(FairQueue.class);
  private static final FastThreadLocal<FairQueue> HERE = new FastThreadLocal<>();

  private final EventLoop loop;
  private final Map<Object, InputOwner> owners = new HashMap<>();

  /// Owners with waiting connections, in the order of their turns.
  private final Queue<InputOwner> rounds = new ArrayDeque<>();

  private long pass;
  private boolean roundDue;

  FairQueue(EventLoop loop) {
    this.loop = loop;
  }

  /// The queue of an event loop. The calling thread must run this event loop. In tests, one thread
  /// runs several event loops.
  static FairQueue of(EventLoop loop) {
    FairQueue queue = HERE.get();
    if (queue == null || !queue.loop.equals(loop)) {
      queue = new FairQueue(loop);
      HERE.set(queue);
    }
    return queue;
  }

  /// A connection with waiting input.
  interface Waiting {
    /// Decodes waiting input.
    ///
    /// @param maxBytes maximum number of bytes to decode, at least 1
    /// @return number of decoded bytes
    int decode(int maxBytes);

    boolean hasInput();
  }

  /// An owner of connections on this event loop.
  final class InputOwner {
    private final Object name;
    private final Queue<Waiting> waiting = new ArrayDeque<>();
    private int connections;
    private long pass = -1;
    private int left;

    private InputOwner(Object name) {
      this.name = name;
    }

    boolean isNamed(Object other) {
      return name.equals(other);
    }

    /// Takes bytes from the quantum of this pass, for input that the caller decodes without
    /// queueing.
    ///
    /// @return number of bytes to decode now, at most `wanted`; 0 if the owner has queued input, or
    ///   if the rest of the quantum is too small
    int take(int wanted) {
      beginPass();
      if (!waiting.isEmpty() || left < Math.min(wanted, SLICE_BYTES)) {
        return 0;
      }
      int taken = Math.min(wanted, left);
      left -= taken;
      // Little input needs no new pass: the task would slow an unloaded caller by some percent.
      if (left < QUANTUM_BYTES / 2) {
        requestRound();
      }
      return taken;
    }

    private void beginPass() {
      if (pass != FairQueue.this.pass) {
        pass = FairQueue.this.pass;
        left = QUANTUM_BYTES;
      }
    }

    /// Enqueues a connection behind the other connections of this owner.
    void await(Waiting connection) {
      if (waiting.isEmpty()) {
        rounds.add(this);
        requestRound();
      }
      waiting.add(connection);
    }

    /// Decodes input of the next connections, within the quantum of this owner.
    ///
    /// @return number of decoded bytes
    private int decodeNext() {
      beginPass();
      int before = left;
      while (left > 0) {
        Waiting next = waiting.poll();
        if (next == null) {
          break;
        }
        left -= next.decode(Math.min(SLICE_BYTES, left));
        if (next.hasInput()) {
          waiting.add(next);
        }
      }
      return before - left;
    }
  }

  /// Registers a connection of an owner. [#leave] must follow.
  InputOwner join(Object name) {
    InputOwner owner = owners.computeIfAbsent(name, InputOwner::new);
    owner.connections++;
    return owner;
  }

  void leave(InputOwner owner) {
    owner.connections--;
    if (owner.connections == 0) {
      var _ = owners.remove(owner.name);
    }
  }

  private void requestRound() {
    if (!roundDue) {
      roundDue = true;
      loop.execute(this::round);
    }
  }

  /// Begins the next pass, after the event loop has read all ready connections.
  private void round() {
    pass++;
    int left = ROUND_BYTES;
    for (int i = rounds.size(); i > 0 && left > 0; i--) {
      InputOwner owner = rounds.remove();
      try {
        left -= owner.decodeNext();
      } catch (RuntimeException | Error e) { // One connection must not stop the others.
        log.atError()
            .setCause(e)
            .log("Queued input of a connection not decoded: a channel handler failed");
      }
      if (!owner.waiting.isEmpty()) {
        rounds.add(owner);
      }
    }
    roundDue = !rounds.isEmpty();
    if (roundDue) {
      // The event loop reads ready connections before it runs a scheduled task.
      var _ = loop.schedule(this::round, 0, TimeUnit.NANOSECONDS);
    }
  }
}

package dev.hmacd.rpc;

import dev.hmacd.log.LogRateLimiter;
import dev.hmacd.transport.EventLoops;
import io.netty.util.concurrent.EventExecutor;
import io.netty.util.concurrent.FastThreadLocal;
import io.netty.util.internal.OutOfDirectMemoryError;
import java.util.ArrayDeque;
import java.util.LinkedHashSet;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.RejectedExecutionException;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Bounds the memory of encoded responses on one event loop: a response waits unencoded while too
/// many encoded bytes are unwritten. The measured memory of a connection includes encoded bytes
/// only after their write.
///
/// gRPC encodes a response at once into a buffer of direct memory. A later task of the event loop
/// writes this buffer to the connection. One pass of an event loop reads all ready connections
/// before it runs tasks. Without a bound, the responses of all ready connections could exhaust the
/// direct memory before the memory of any connection is measured. Above the bound, a response waits
/// unencoded. No client can prolong the wait, because a write hands the response to the
/// connection's flow control.
///
/// All methods except [#execute] and [#submit] run on the event loop.
final class ResponseEncodeQueue {
  /// Bound on unwritten responses of all event loops together, in bytes of direct memory.
  static final long MAX_BYTES = 8 << 20;

  /// Number of unwritten bytes above which the queue schedules tasks that observe the writes. Tasks
  /// for each response would slow the calls of an unloaded daemon by some percent. This number is
  /// at most an eighth of the bound of an event loop.
  private static final int UNCOUNTED_BYTES = 64 << 10;

  /// Minimum size of the buffer into which gRPC encodes a response, in bytes.
  private static final int MIN_BYTES = 4096;

  /// Size of gRPC's message prefix (compression flag and message length), in bytes.
  private static final int PREFIX_BYTES = 5;

  private static final Logger log = LoggerFactory.getLogger(ResponseEncodeQueue.class);
  private static final LogRateLimiter exhaustions = new LogRateLimiter();

  /// A response that is not encoded yet.
  interface Response {
    /// Encodes and sends the response, on the event loop.
    ///
    /// @return size of the message in bytes; -1 if the call has already ended
    /// @throws OutOfDirectMemoryError if no direct memory is left for the response
    int encode();

    /// Ends the call with an error, after [#encode] has found no direct memory for the response.
    void exhausted();

    /// The action that measures the memory of the response's connection, after the write.
    Runnable measurement();
  }

  private final EventExecutor loop;
  private final long maxBytes;
  private final Queue<Response> waiting = new ArrayDeque<>();

  /// Number of encoded bytes whose write has not been observed yet.
  private long unwritten;

  /// Actions that measure the memory of the connections with unwritten bytes.
  private Set<Runnable> measurements = new LinkedHashSet<>();

  private boolean awaitsWrite;

  /// A supplier that returns the queue of the calling thread's event loop. The supplier throws
  /// [IllegalStateException] on a thread that is not an event loop.
  static Supplier<ResponseEncodeQueue> ofLoops(EventLoops loops) {
    var queues =
        new FastThreadLocal<ResponseEncodeQueue>() {
          @Override
          protected ResponseEncodeQueue initialValue() {
            return new ResponseEncodeQueue(
                loops.current(), Math.max(8 * UNCOUNTED_BYTES, MAX_BYTES / loops.count()));
          }
        };
    return queues::get;
  }

  /// @param maxBytes bound of this event loop; a response is encoded if fewer bytes are unwritten
  ResponseEncodeQueue(EventExecutor loop, long maxBytes) {
    this.loop = loop;
    this.maxBytes = maxBytes;
  }

  /// Runs a task on the event loop: at once if the current thread is the event loop.
  void execute(Runnable task) {
    if (loop.inEventLoop()) {
      task.run();
      return;
    }
    try {
      loop.execute(task);
    } catch (RejectedExecutionException e) {
      log.atDebug().setCause(e).log("Response dropped: the event loops have ended");
    }
  }

  /// Encodes a response on the event loop, as soon as the bound permits.
  void submit(Response response) {
    execute(
        () -> {
          if (unwritten < maxBytes && waiting.isEmpty()) {
            encode(response);
          } else {
            waiting.add(response);
          }
        });
  }

  /// Size of the buffer of an encoded message, in bytes. Netty's allocator has four buffer sizes
  /// for each power of two.
  ///
  /// @param message size of the message in bytes
  static int bufferBytes(int message) {
    int bytes = Math.max(MIN_BYTES, message + PREFIX_BYTES);
    int step = Integer.highestOneBit(bytes - 1) / 4;
    return (bytes + step - 1) / step * step;
  }

  private void encode(Response response) {
    int bytes = -1;
    try {
      bytes = response.encode();
    } catch (OutOfDirectMemoryError e) {
      long times = exhaustions.happened();
      if (times > 0) {
        log.atError()
            .addKeyValue("times", times)
            .addKeyValue("reason", e.getMessage())
            .log("Calls failed: no direct memory left for responses");
      }
      response.exhausted();
    } catch (RuntimeException e) { // It must not stop the waiting responses.
      log.atError().setCause(e).log("Response not sent: unexpected exception");
    }
    if (bytes >= 0) {
      unwritten += bufferBytes(bytes);
      boolean _ = measurements.add(response.measurement());
      if (unwritten > UNCOUNTED_BYTES) {
        awaitWrite();
      }
    }
  }

  /// Observes the write of encoded responses with two tasks of the event loop. gRPC has queued the
  /// write of each encoded response on the event loop. The first task records the number of
  /// unwritten bytes. Before the first task runs, other responses may be encoded, with their writes
  /// queued behind this task. The second task runs after all writes that were queued before the
  /// first task.
  private void awaitWrite() {
    if (!awaitsWrite) {
      awaitsWrite = true;
      loop.execute(
          () -> {
            long bytes = unwritten;
            Set<Runnable> connections = measurements;
            measurements = new LinkedHashSet<>();
            loop.execute(() -> written(bytes, connections));
          });
    }
  }

  private void written(long bytes, Set<Runnable> connections) {
    unwritten -= bytes;
    awaitsWrite = false;
    try {
      connections.forEach(Runnable::run);
    } finally { // An unforeseen exception must not stop the waiting responses.
      encodeWaiting();
    }
  }

  private void encodeWaiting() {
    while (unwritten < maxBytes) {
      Response next = waiting.poll();
      if (next == null) {
        break;
      }
      try {
        encode(next);
      } catch (Error e) { // It must not stop the other waiting responses.
        log.atError().setCause(e).log("Response not sent: unexpected error of the JVM");
      }
    }
    if (unwritten > UNCOUNTED_BYTES) {
      awaitWrite();
    }
  }
}

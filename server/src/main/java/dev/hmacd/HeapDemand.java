package dev.hmacd;

import dev.hmacd.config.Config;
import dev.hmacd.token.SignRequest;
import java.util.Optional;

/// The heap that a daemon with a configuration can need: the sum of its bounds. The table in
/// SECURITY.md has the bounds. Above the maximum heap, full queues can end the daemon.
public final class HeapDemand {
  /// Message about a heap that is too small.
  public static final String TOO_SMALL = "Heap too small for the configured bounds";

  private static final int MIB = 1 << 20;

  /// The classes of the daemon, the young generation, and garbage.
  private static final int RESERVE = 64 * MIB;

  private final int connectionPercent;
  private final long queues;
  private final long lanes;
  private final long cache;

  private HeapDemand(int connectionPercent, long queues, long lanes, long cache) {
    this.connectionPercent = connectionPercent;
    this.queues = queues;
    this.lanes = lanes;
    this.cache = cache;
  }

  public static HeapDemand of(Config config) {
    long queued = config.tokens().stream().mapToLong(Config.TokenSettings::queue).sum();
    long lanes =
        config.tokens().stream()
            .mapToLong(token -> (long) token.lanes() + token.hanging().maxReplaced())
            .sum();
    return new HeapDemand(
        config.memory().maxConnectionPercent(),
        queued * SignRequest.PIECE_BYTES,
        lanes * config.grpc().limits().maxMessageBytes(),
        config.registry().maxCacheBytes());
  }

  /// The maximum heap that the bounds need, in MiB. A part of the heap is for connections
  /// (`memory.max_connection_percent`).
  public long neededMib() {
    long bytes = (RESERVE + queues + lanes + cache) * 100 / (100 - connectionPercent);
    return (bytes + MIB - 1) / MIB;
  }

  /// Compares this demand with the maximum heap of the JVM.
  ///
  /// @param maxMib the maximum heap in MiB
  /// @return the shortage; empty if the heap is sufficient
  public Optional<Shortage> shortage(long maxMib) {
    if (maxMib >= neededMib()) {
      return Optional.empty();
    }
    return Optional.of(
        new Shortage(
            TOO_SMALL,
            maxMib + " MiB",
            neededMib() + " MiB",
            "raise -Xmx in HMACD_JAVA_OPTS, or lower " + largest()));
  }

  /// The settings of the largest bound.
  private String largest() {
    if (cache > lanes && cache > queues) {
      return "registry.max_cache_bytes";
    }
    return lanes > queues ? "token.lanes or grpc.limits.max_message_bytes" : "token.queue";
  }

  /// The maximum heap of this JVM in MiB.
  public static long maxMib() {
    return Runtime.getRuntime().maxMemory() / MIB;
  }
}

package dev.hmacd;

import dev.hmacd.config.Config;
import dev.hmacd.metrics.MetricsServer;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;

/// The number of file descriptors that a daemon with a configuration can need: the sum of its
/// bounds. Above the process's limit (RLIMIT_NOFILE), the daemon accepts no connections.
public final class FileDescriptorDemand {
  /// Message about a limit that is too low.
  public static final String TOO_LOW =
      "Limit of file descriptors too low for the configured bounds";

  /// The program's jars, the log, the JVM, and files that are open for a short time.
  private static final int RESERVE = 100;

  /// The database with its write-ahead log and shared memory, temporary files, and the lock file.
  private static final int REGISTRY = 8;

  /// The connection of a session to a network HSM, or the files of a software token.
  private static final int PER_LANE = 4;

  /// The epoll, event and timer descriptors of an event loop.
  private static final int PER_EVENT_LOOP = 3;

  /// A bound of the configuration.
  ///
  /// @param key the configuration key
  private record Bound(String key, long descriptors) {}

  private final List<Bound> bounds;
  private final long needed;

  private FileDescriptorDemand(List<Bound> bounds, long others) {
    this.bounds = bounds;
    this.needed = bounds.stream().mapToLong(Bound::descriptors).sum() + others;
  }

  public static FileDescriptorDemand of(Config config) {
    List<Bound> bounds = new ArrayList<>();
    Config.Grpc grpc = config.grpc();
    long listeners = (grpc.tcp().isPresent() ? 1L : 0L) + (grpc.unix().isPresent() ? 1 : 0);
    bounds.add(
        new Bound(
            "grpc.limits.max_connections",
            listeners * (1L + grpc.limits().maxConnections() + grpc.limits().maxHandshakes())));
    config
        .awsKms()
        .map(Config.AwsKms::limits)
        .ifPresent(
            limits ->
                bounds.add(
                    new Bound(
                        "aws_kms.limits.max_connections",
                        1L + limits.maxConnections() + limits.maxUnauthenticated())));
    long lanes =
        config.tokens().stream()
            .mapToLong(token -> (long) token.lanes() + token.hanging().maxReplaced())
            .sum();
    bounds.add(new Bound("token.lanes", PER_LANE * lanes));
    long metrics = config.metrics().map(FileDescriptorDemand::ofMetrics).orElse(0L);
    long loops = (long) PER_EVENT_LOOP * Runtime.getRuntime().availableProcessors();
    return new FileDescriptorDemand(bounds, metrics + loops + REGISTRY + RESERVE);
  }

  private static long ofMetrics(Config.Metrics metrics) {
    long listeners = (metrics.tcp().isPresent() ? 1L : 0L) + (metrics.unix().isPresent() ? 1 : 0);
    return listeners + MetricsServer.MAX_CONNECTIONS;
  }

  public long needed() {
    return needed;
  }

  /// Compares this demand with the limit of the process.
  ///
  /// @param limit the limit of file descriptors; empty if it is unknown
  /// @return the shortage; empty if the limit is sufficient or unknown
  public Optional<Shortage> shortage(OptionalLong limit) {
    if (limit.isEmpty() || limit.getAsLong() >= needed) {
      return Optional.empty();
    }
    String largest =
        bounds.stream()
            .max(Comparator.comparingLong(Bound::descriptors))
            .map(Bound::key)
            .orElseThrow();
    return Optional.of(
        new Shortage(
            TOO_LOW,
            Long.toString(limit.getAsLong()),
            Long.toString(needed),
            "raise LimitNOFILE= of the systemd unit (elsewhere ulimit -Hn), or lower " + largest));
  }
}

package dev.hmacd.testing;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;

/// Resources of a daemon in this JVM and of its callers. Two footprints, before and after a test,
/// show leaks.
///
/// @param connections open connections, by the daemon's metric
/// @param sockets open sockets of this process
/// @param threads threads of the daemon
public record Footprint(int connections, long sockets, long threads) {
  public static Footprint of(LoopbackDaemon daemon) {
    return new Footprint((int) daemon.metric("hmacd_connections"), openSockets(), daemonThreads());
  }

  /// Waits until the resources are at most those of this footprint. Other tests may have released
  /// resources meanwhile.
  public void awaitRestored(LoopbackDaemon daemon) {
    try {
      Eventually.holds("the resources are at most " + this, () -> of(daemon).isWithin(this));
    } catch (AssertionError e) {
      throw new AssertionError(e.getMessage() + ", but it is " + of(daemon), e);
    }
  }

  private boolean isWithin(Footprint limit) {
    return connections <= limit.connections && sockets <= limit.sockets && threads <= limit.threads;
  }

  private static long openSockets() {
    try (var all = Files.list(Path.of("/proc/self/fd"))) {
      return all.filter(Footprint::isSocket).count();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static boolean isSocket(Path descriptor) {
    try {
      return Files.readSymbolicLink(descriptor).toString().startsWith("socket:");
    } catch (IOException e) {
      return false; // The descriptor was closed after the listing.
    }
  }

  private static long daemonThreads() {
    return Thread.getAllStackTraces().keySet().stream()
        .filter(thread -> thread.getName().startsWith("hmacd-"))
        .count();
  }
}

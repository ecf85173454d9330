package dev.hmacd.testing;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;

/// What a daemon in this JVM and those who call it hold on to. Taken once before and once after, it
/// shows what was leaked.
///
/// @param connections of the daemon, by its own count
/// @param sockets of this process
/// @param threads of the daemon
public record Footprint(int connections, long sockets, long threads) {
  public static Footprint of(LoopbackDaemon daemon) {
    return new Footprint((int) daemon.metric("hmacd_connections"), openSockets(), daemonThreads());
  }

  /// Waits until no more is held than was. Less may be: others may have let go in the meantime.
  public void awaitAgain(LoopbackDaemon daemon) {
    try {
      Eventually.holds("what is held is again " + this, () -> of(daemon).isWithin(this));
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
      return false; // Closed since it was listed.
    }
  }

  private static long daemonThreads() {
    return Thread.getAllStackTraces().keySet().stream()
        .filter(thread -> thread.getName().startsWith("hmacd-"))
        .count();
  }
}

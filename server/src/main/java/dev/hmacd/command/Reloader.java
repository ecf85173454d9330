package dev.hmacd.command;

import dev.hmacd.Daemon;
import dev.hmacd.config.Config;
import dev.hmacd.config.ConfigException;
import dev.hmacd.config.ConfigFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import sun.misc.Signal;

/// Watches the configuration and the TLS files, and makes the daemon read changed files. It polls
/// once a second: file events miss a changed symbolic link in the path, and many systems replace
/// certificates that way.
final class Reloader implements AutoCloseable {
  private static final long LOOK_MILLIS = 1000;
  private static final Logger log = LoggerFactory.getLogger(Reloader.class);

  private final Path file;
  private final Daemon daemon;
  private final List<Path> tlsFiles;
  private final ScheduledExecutorService schedule =
      Executors.newSingleThreadScheduledExecutor(
          Thread.ofPlatform().name("hmacd-reload").daemon().factory());

  /// The daemon's current configuration. After [#start], only the schedule's thread uses this field
  /// and the next ones.
  private Config used;

  /// Initially different from every state: the file may have changed since it was read.
  private List<String> lastConfig = List.of();

  private List<String> lastTls;

  /// The last problem, which later polls do not log again; empty without one.
  private String configProblem = "";

  private String tlsProblem = "";

  private final CountDownLatch started = new CountDownLatch(1);

  /// Create it before the daemon reads the TLS files, so that it misses no change of them.
  ///
  /// @param config the daemon's current configuration
  Reloader(Path file, Config config, Daemon daemon) {
    this.file = file;
    this.used = config;
    this.daemon = daemon;
    this.tlsFiles = config.tlsFiles();
    this.lastTls = look(tlsFiles);
    // Handled from now on: an unhandled SIGHUP ends the process.
    Signal.handle(new Signal("HUP"), _ -> reloadNow());
  }

  /// Ignores SIGHUP until a reloader exists. The reloader's first poll reads the configuration in
  /// any case.
  static void outliveSignals() {
    Signal.handle(new Signal("HUP"), _ -> {});
  }

  /// Starts to poll. Call it after the daemon has started.
  void start() {
    var _ =
        schedule.scheduleWithFixedDelay(
            () -> reload(false), LOOK_MILLIS, LOOK_MILLIS, TimeUnit.MILLISECONDS);
    started.countDown();
  }

  private void reloadNow() {
    try {
      schedule.execute(
          () -> {
            if (hasStarted()) {
              reload(true);
            }
          });
    } catch (RejectedExecutionException e) {
      log.atDebug().setCause(e).log("Reload ignored: the daemon is stopping");
    }
  }

  /// Waits for [#start]. Returns false if this reloader is closed before.
  private boolean hasStarted() {
    try {
      started.await();
      return true;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return false;
    }
  }

  private void reload(boolean told) {
    try {
      if (told) {
        daemon.retryPin();
      }
      List<String> config = look(List.of(file));
      if ((told || !config.equals(lastConfig)) && reloadConfig(told)) {
        lastConfig = config;
      }
      List<String> tls = look(tlsFiles);
      if ((told || !tls.equals(lastTls)) && reloadTls(told)) {
        lastTls = tls;
      }
    } catch (RuntimeException e) {
      // An exception would end the schedule without a log message.
      log.atError().setCause(e).log("Reload failed: unexpected error");
    }
  }

  /// @return whether it succeeded. A failure is retried at each poll: its cause, such as wrong
  ///   permissions, may be corrected without a visible change of the file
  private boolean reloadConfig(boolean told) {
    try {
      Config fresh = ConfigFile.read(file);
      if (told || !fresh.equals(used)) {
        used = fresh;
        daemon.reload(fresh);
      }
      configProblem = "";
      return true;
    } catch (ConfigException e) {
      String problem = e.problems().toString();
      if (told || !problem.equals(configProblem)) {
        log.atError().addKeyValue("problems", e.problems()).log("Configuration not replaced");
      }
      configProblem = problem;
      return false;
    }
  }

  private boolean reloadTls(boolean told) {
    try {
      daemon.reloadTls();
      tlsProblem = "";
      return true;
    } catch (IOException e) {
      String problem = String.valueOf(e.getMessage());
      if (told || !problem.equals(tlsProblem)) {
        log.atError().addKeyValue("reason", problem).log("TLS files not replaced");
      }
      tlsProblem = problem;
      return false;
    }
  }

  /// A value for each file that changes with the file: its identity, size and modification time.
  private static List<String> look(List<Path> files) {
    List<String> seen = new ArrayList<>();
    for (Path each : files) {
      try {
        var attributes = Files.readAttributes(each, BasicFileAttributes.class);
        seen.add(
            attributes.fileKey() + " " + attributes.size() + " " + attributes.lastModifiedTime());
      } catch (IOException e) {
        seen.add("unreadable");
      }
    }
    return seen;
  }

  @Override
  public void close() {
    schedule.shutdownNow();
  }
}

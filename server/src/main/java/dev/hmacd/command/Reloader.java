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

/// Sees that the configuration or the TLS files have changed, and has the daemon read them. Looks
/// once a second: file events do not see what a symbolic link in the path is turned to, which is
/// how certificates are replaced in many places.
final class Reloader implements AutoCloseable {
  private static final long LOOK_MILLIS = 1000;
  private static final Logger log = LoggerFactory.getLogger(Reloader.class);

  private final Path file;
  private final Daemon daemon;
  private final List<Path> tlsFiles;
  private final ScheduledExecutorService schedule =
      Executors.newSingleThreadScheduledExecutor(
          Thread.ofPlatform().name("hmacd-reload").daemon().factory());

  /// What the daemon has. These are touched by the schedule's thread alone, once it runs.
  private Config used;

  /// Unlike anything seen, at first: the file may have changed since it was read.
  private List<String> lastConfig = List.of();

  private List<String> lastTls;

  /// What was wrong last time and is not said again at each look; empty when nothing was.
  private String configProblem = "";

  private String tlsProblem = "";

  private final CountDownLatch started = new CountDownLatch(1);

  /// Made before the daemon reads the TLS files, so that no change of theirs is missed.
  ///
  /// @param config as the daemon has it
  Reloader(Path file, Config config, Daemon daemon) {
    this.file = file;
    this.used = config;
    this.daemon = daemon;
    this.tlsFiles = config.tlsFiles();
    this.lastTls = look(tlsFiles);
    // From now on: a signal that nobody handles ends the process.
    Signal.handle(new Signal("HUP"), _ -> reloadNow());
  }

  /// Keeps SIGHUP from ending the process until there is a reloader, which reads everything anew at
  /// its first look in any case.
  static void outliveSignals() {
    Signal.handle(new Signal("HUP"), _ -> {});
  }

  /// To be called when the daemon has started.
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
      log.atDebug().setCause(e).log("Told to reload while stopping");
    }
  }

  /// Waits for it, unless this is closed before.
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
      // The schedule would end without a word.
      log.atError().setCause(e).log("A reload failed in an unforeseen way");
    }
  }

  /// @return whether it succeeded. Else it is tried at each look: what was wrong may be mended
  ///   without a change of the file that could be seen, as permissions are
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

  /// What changes when a file does: its identity, size and time.
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

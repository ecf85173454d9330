package dev.hmacd.command;

import dev.hmacd.Daemon;
import dev.hmacd.config.Config;
import dev.hmacd.config.ConfigException;
import dev.hmacd.config.ConfigFile;
import dev.hmacd.file.FileStates;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import sun.misc.Signal;

/// Reloads the configuration and TLS files of the running daemon after a change, and on SIGHUP.
/// Reloads the TLS files also when a certificate authority of callers expires or becomes valid.
/// Polls the files once a second, because file events miss a changed symbolic link in the path.
/// Many systems replace certificates by changing such a link.
final class Reloader implements AutoCloseable {
  private static final long POLL_MILLIS = 1000;
  private static final Logger log = LoggerFactory.getLogger(Reloader.class);

  private final Path file;
  private final Daemon daemon;
  private final ScheduledExecutorService schedule =
      Executors.newSingleThreadScheduledExecutor(
          Thread.ofPlatform().name("hmacd-reload").daemon().factory());

  /// The daemon's current configuration. After [#start], only the schedule's thread uses the fields
  /// that are not final.
  private Config used;

  /// The state of the configuration file at its last successful reload. The initial value differs
  /// from every state, because the file may have changed since the daemon read it.
  private List<String> lastConfig = List.of();

  /// The last logged problem of the configuration, which later polls do not log again; empty if
  /// there is no problem. While there is a problem, each poll reloads the file, also if its state
  /// is that of the last successful reload: the good file may be back (`mv`).
  private String configProblem = "";

  /// The last logged problem of the TLS files; empty if there is no problem.
  private String tlsProblem = "";

  private final CountDownLatch started = new CountDownLatch(1);

  /// @param config the daemon's current configuration
  Reloader(Path file, Config config, Daemon daemon) {
    this.file = file;
    this.used = config;
    this.daemon = daemon;
  }

  /// Ignores SIGHUP until [#watch], because an unhandled SIGHUP ends the process. No change is
  /// missed by an ignored SIGHUP, because the first poll always reads the configuration file.
  static void ignoreHangup() {
    Signal.handle(new Signal("HUP"), _ -> {});
  }

  /// Installs the handler of SIGHUP.
  void watch() {
    Signal.handle(new Signal("HUP"), _ -> hangup());
  }

  /// Starts to poll the files. Must be called after the start of the daemon.
  void start() {
    var _ =
        schedule.scheduleWithFixedDelay(
            this::poll, POLL_MILLIS, POLL_MILLIS, TimeUnit.MILLISECONDS);
    started.countDown();
  }

  /// Reloads the changed files. Must not be called after [#start], except by the schedule.
  void poll() {
    reload(false);
  }

  private void hangup() {
    try {
      schedule.execute(
          () -> {
            if (awaitStarted()) {
              reload(true);
            }
          });
    } catch (RejectedExecutionException e) {
      log.atDebug().setCause(e).log("SIGHUP ignored: the daemon is stopping");
    }
  }

  /// Waits until [#start] is called. Returns false if this reloader is closed first.
  private boolean awaitStarted() {
    try {
      started.await();
      return true;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return false;
    }
  }

  /// @param forced whether to reload also unchanged files, because of SIGHUP
  private void reload(boolean forced) {
    try {
      if (forced) {
        daemon.retryPin();
      }
      List<String> config = FileStates.of(List.of(file));
      boolean changedConfig = !config.equals(lastConfig) || !configProblem.isEmpty();
      if ((forced || changedConfig) && reloadConfig(forced)) {
        lastConfig = config;
      }
      reloadTls(forced);
    } catch (RuntimeException | Error e) {
      // An exception would end the schedule without a log message.
      log.atError().setCause(e).log("Configuration and TLS files not reloaded: unexpected error");
    }
  }

  /// @return whether the reload succeeded. A failed reload is retried at each poll: an operator may
  ///   correct the cause, such as wrong permissions, without a visible change of the file
  private boolean reloadConfig(boolean forced) {
    try {
      Config fresh = ConfigFile.read(file);
      if (forced || !fresh.equals(used)) {
        used = fresh;
        daemon.reload(fresh);
      }
      daemon.configurationAccepted();
      configProblem = "";
      return true;
    } catch (ConfigException e) {
      daemon.configurationRefused();
      String problem = e.problems().toString();
      if (forced || !problem.equals(configProblem)) {
        log.atError().addKeyValue("problems", e.problems()).log("Configuration not reloaded");
      }
      configProblem = problem;
      return false;
    }
  }

  private void reloadTls(boolean forced) {
    try {
      if (forced) {
        daemon.reloadTls();
      } else {
        daemon.reloadOutdatedTls();
      }
      tlsProblem = "";
    } catch (IOException e) {
      String problem = String.valueOf(e.getMessage());
      if (forced || !problem.equals(tlsProblem)) {
        log.atError().addKeyValue("reason", problem).log("TLS files not reloaded");
      }
      tlsProblem = problem;
    }
  }

  @Override
  public void close() {
    schedule.shutdownNow();
  }
}

package dev.hmacd.command;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.hmacd.Daemon;
import dev.hmacd.ExitCode;
import dev.hmacd.StartException;
import java.util.concurrent.CountDownLatch;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Runs the daemon in this process until a signal ends the process.
final class DaemonRunner {
  private static final Logger log = LoggerFactory.getLogger(DaemonRunner.class);

  private final Daemon daemon;
  private final Reloader reloader;
  private final ProcessExit exit;
  private final CountDownLatch stopped = new CountDownLatch(1);
  private final Object lifecycle = new Object();

  @GuardedBy("lifecycle")
  private boolean stopping;

  /// @param reloader reloads the daemon's configuration and TLS files
  /// @param exit ends this process
  DaemonRunner(Daemon daemon, Reloader reloader, ProcessExit exit) {
    this.daemon = daemon;
    this.reloader = reloader;
    this.exit = exit;
  }

  /// The work of a command between the start and the stop of the daemon.
  interface Started {
    /// Does the work of the command. A failure of this work ends the process.
    void run() throws StartException, InterruptedException;
  }

  /// Starts the daemon, does the work of the command, and waits until the daemon has stopped.
  ///
  /// @return the exit code of the process
  ExitCode run(Daemon.Provision provision, Started started)
      throws StartException, InterruptedException {
    if (hasStarted(provision)) {
      try {
        started.run();
      } catch (StartException | InterruptedException | RuntimeException | Error e) {
        exit.failed(e);
        throw e;
      }
    }
    stopped.await();
    return ExitCode.OK;
  }

  /// Starts the daemon. Returns false if the process is stopping.
  private boolean hasStarted(Daemon.Provision provision) throws StartException {
    Thread hook = new Thread(this::stop, "hmacd-stop");
    Runtime.getRuntime().addShutdownHook(hook);
    synchronized (lifecycle) {
      if (stopping) {
        return false;
      }
      try {
        reloader.watch();
        daemon.start(provision);
        reloader.start();
        return true;
      } catch (StartException | RuntimeException | Error e) {
        // The daemon has closed its parts already. Without the shutdown hook, the process ends with
        // the exit code of the failure.
        remove(hook);
        throw e;
      }
    }
  }

  private static void remove(Thread hook) {
    try {
      Runtime.getRuntime().removeShutdownHook(hook);
    } catch (IllegalStateException e) {
      log.atDebug().setCause(e).log("Shutdown hook not removed: the process is stopping");
    }
  }

  private void stop() {
    synchronized (lifecycle) {
      stopping = true;
      SystemdNotify.send("STOPPING=1");
      log.atInfo().log("Daemon stopping: draining calls in flight");
      reloader.close();
      try {
        daemon.close();
        log.atInfo().log("Daemon stopped");
      } catch (RuntimeException | Error e) {
        log.atError().setCause(e).log("Daemon not stopped cleanly: unexpected error");
        exit.failed(e);
      }
      stopped.countDown();
    }
    exit.halt();
  }
}

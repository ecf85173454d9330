package dev.hmacd.command;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.hmacd.Daemon;
import dev.hmacd.StartException;
import dev.hmacd.config.Config;
import java.nio.file.Path;
import java.util.concurrent.CountDownLatch;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// A daemon that runs in this process until a signal ends it.
final class Running {
  private static final Logger log = LoggerFactory.getLogger(Running.class);

  /// Where it is false, the JVM ends by itself after a clean stop, as it must to write an AOT
  /// cache.
  private static final boolean HALT = !"false".equals(System.getProperty("hmacd.halt"));

  private final Daemon daemon;
  private final CountDownLatch stopped = new CountDownLatch(1);
  private final Object lifecycle = new Object();

  @GuardedBy("lifecycle")
  private boolean stopping;

  /// What the process ends with when nobody has told it to stop before.
  private volatile int exitCode;

  private @Nullable Reloader reloader;

  Running(Daemon daemon) {
    this.daemon = daemon;
    daemon.onLost(this::end);
  }

  /// Ends the process, for its supervisor to start another. On a thread of its own: who calls is
  /// waited for in a stop.
  private void end() {
    exitCode = StartException.TEMPORARY;
    var _ =
        Thread.ofPlatform().name("hmacd-end").start(() -> System.exit(StartException.TEMPORARY));
  }

  void start(Daemon.Provision provision) throws StartException {
    Thread hook = new Thread(this::stop, "hmacd-stop");
    Runtime.getRuntime().addShutdownHook(hook);
    synchronized (lifecycle) {
      if (stopping) {
        return;
      }
      try {
        daemon.start(provision);
        if (reloader != null) {
          reloader.start();
        }
      } catch (StartException e) {
        // It has closed what it opened, and the exit code is to be that of the failure.
        remove(hook);
        throw e;
      }
    }
  }

  private static void remove(Thread hook) {
    try {
      Runtime.getRuntime().removeShutdownHook(hook);
    } catch (IllegalStateException e) {
      log.atDebug().setCause(e).log("Told to stop while starting failed");
    }
  }

  /// Has the file's rules and the TLS files read anew when they change, and on SIGHUP.
  ///
  /// @param file what the daemon's configuration was read from
  void watch(Path file, Config config) {
    reloader = new Reloader(file, config, daemon);
  }

  /// Has the process end with the exit code of what went wrong after the start.
  StartException failed(StartException e) {
    exitCode = e.exitCode();
    return e;
  }

  private void stop() {
    synchronized (lifecycle) {
      stopping = true;
      SystemdNotify.send("STOPPING=1");
      log.atInfo().log("Stopping: no new calls, those under way end");
      if (reloader != null) {
        reloader.close();
      }
      daemon.close();
      log.atInfo().log("Stopped");
      stopped.countDown();
    }
    if (HALT) {
      // Modules crash when a JVM ends the usual way while they have threads; all is written, so end
      // here.
      Runtime.getRuntime().halt(exitCode);
    }
  }

  int await() throws InterruptedException {
    stopped.await();
    return 0;
  }
}

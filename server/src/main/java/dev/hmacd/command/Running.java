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

  /// If false, the JVM ends by itself after a clean stop. It must do so to write an AOT cache.
  private static final boolean HALT = !"false".equals(System.getProperty("hmacd.halt"));

  private final Daemon daemon;
  private final CountDownLatch stopped = new CountDownLatch(1);
  private final Object lifecycle = new Object();

  @GuardedBy("lifecycle")
  private boolean stopping;

  /// The exit code of the process: 0 unless a failure ends it.
  private volatile int exitCode;

  private @Nullable Reloader reloader;

  Running(Daemon daemon) {
    this.daemon = daemon;
    daemon.onLost(this::end);
  }

  /// Ends the process, so that its supervisor starts another. Uses a separate thread, because a
  /// stop waits for the calling thread.
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
      } catch (StartException | RuntimeException | Error e) {
        // The daemon has closed its parts. The process must end with the exit code of the failure.
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

  /// Watches the rules in the configuration file and the TLS files. They are read again when they
  /// change, and on SIGHUP.
  ///
  /// @param file path of the daemon's configuration
  void watch(Path file, Config config) {
    reloader = new Reloader(file, config, daemon);
  }

  /// Sets the exit code of the process for a failure after the start, and returns the failure.
  <E extends Throwable> E failed(E e) {
    exitCode = StartException.exitCode(e);
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
      // Modules crash if the JVM ends normally while they have threads. All data is written, so the
      // process ends here.
      Runtime.getRuntime().halt(exitCode);
    }
  }

  int await() throws InterruptedException {
    stopped.await();
    return 0;
  }
}

package dev.hmacd.command;

import dev.hmacd.ExitCode;
import dev.hmacd.StartException;

/// Ends the process with its exit code. Thread-safe.
final class ProcessExit {
  /// Whether [#halt] ends the JVM. If false, the JVM ends by itself after a clean stop. Only a JVM
  /// that ends by itself writes an AOT cache.
  private static final boolean HALT = !"false".equals(System.getProperty("hmacd.halt"));

  /// The exit code of the process: [ExitCode#OK] unless a failure or [#restart] ends the process.
  private volatile ExitCode code = ExitCode.OK;

  /// Sets the exit code of the process, after a failure of the started daemon.
  void failed(Throwable failure) {
    code = StartException.exitCode(failure);
  }

  /// Ends the process, so that its supervisor starts the daemon again. Uses a separate thread,
  /// because a stop waits for the calling thread.
  void restart() {
    code = ExitCode.TEMPORARY;
    var _ = Thread.ofPlatform().name("hmacd-end").start(() -> System.exit(code.code()));
  }

  /// Ends the process after a stop, without the rest of the JVM's shutdown: PKCS#11 modules can
  /// crash while a JVM unloads them. All data is on the disk before the call.
  void halt() {
    if (HALT) {
      Runtime.getRuntime().halt(code.code());
    }
  }
}

package dev.hmacd.command;

import dev.hmacd.ExitCode;
import dev.hmacd.StartException;

/// The end of the process, with its exit code. Thread-safe.
final class ProcessExit {
  /// If false, the JVM ends by itself after a clean stop. An AOT cache is written only by a JVM
  /// that ends by itself.
  private static final boolean HALT = !"false".equals(System.getProperty("hmacd.halt"));

  /// [ExitCode#OK] unless a failure ends the process.
  private volatile ExitCode code = ExitCode.OK;

  /// Sets the exit code for a failure after the start.
  void failed(Throwable failure) {
    code = StartException.exitCode(failure);
  }

  /// Ends the process, so that its supervisor starts another one. Uses a separate thread, because a
  /// stop waits for the calling thread.
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

package dev.hmacd.command;

import dev.hmacd.Daemon;
import dev.hmacd.ExitCode;
import dev.hmacd.StartException;
import dev.hmacd.config.Config;
import dev.hmacd.config.ConfigFile;
import dev.hmacd.token.FaultyToken;
import dev.hmacd.token.FaultyToken.Call;
import dev.hmacd.token.FaultyToken.Gate;
import java.nio.file.Path;
import java.time.Clock;
import java.util.List;
import java.util.concurrent.locks.LockSupport;

/// A program whose start fails after it received a signal to stop.
final class StoppedWhileStarting {
  private StoppedWhileStarting() {}

  public static void main(String[] arguments) throws Exception {
    Path file = Path.of(arguments[0]);
    Config config = ConfigFile.read(file);
    FaultyToken token = new FaultyToken(CommandSetup.token(config.tokens().getFirst()));
    Gate gate = token.blockingThenFailing(Call.OPEN, FaultyToken.CKR_PIN_INCORRECT);
    Thread.ofPlatform()
        .daemon()
        .start(
            () -> {
              gate.awaitEntered();
              System.out.println("AT THE GATE");
              awaitShutdown();
              gate.release();
            });
    var exit = new ProcessExit();
    var daemon = new Daemon(config, List.of(token), Clock.systemUTC(), exit::restart);
    try {
      ExitCode _ =
          new DaemonRunner(daemon, new Reloader(file, config, daemon), exit)
              .run(Daemon.Provision.NEVER, () -> {});
    } catch (StartException e) {
      System.exit(e.exitCode().code());
    }
  }

  private static void awaitShutdown() {
    Thread hook = new Thread(() -> {});
    try {
      while (true) {
        Runtime.getRuntime().addShutdownHook(hook);
        Runtime.getRuntime().removeShutdownHook(hook);
        LockSupport.parkNanos(1_000_000);
      }
    } catch (IllegalStateException e) {
      System.out.println("SHUTDOWN HAS BEGUN");
    }
  }
}

package dev.hmacd.command;

import dev.hmacd.Daemon;
import dev.hmacd.ExitCode;
import dev.hmacd.StartException;
import dev.hmacd.command.Arguments.UsageException;
import dev.hmacd.config.Config;
import java.nio.file.Path;
import java.time.Clock;
import java.util.Set;

/// `hmacd serve`: the daemon in production.
final class ServeCommand implements Command {
  @Override
  public Set<String> options() {
    return Set.of("--config");
  }

  @Override
  public ExitCode run(Arguments arguments)
      throws UsageException, StartException, InterruptedException {
    Reloader.ignoreHangup();
    Path file = arguments.requiredPath("--config");
    Config config = Startup.config(file);
    var exit = new ProcessExit();
    var daemon = new Daemon(config, Startup.tokens(config), Clock.systemUTC(), exit::restart);
    var running = new Running(daemon, new Reloader(file, config, daemon), exit);
    return running.run(Daemon.Provision.NEVER, () -> SystemdNotify.send("READY=1"));
  }
}

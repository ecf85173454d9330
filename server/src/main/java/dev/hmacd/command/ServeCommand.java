package dev.hmacd.command;

import dev.hmacd.Daemon;
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
  public int run(Arguments arguments) throws UsageException, StartException, InterruptedException {
    Reloader.outliveSignals();
    Path file = arguments.requiredPath("--config");
    Config config = Startup.config(file);
    var daemon = new Daemon(config, Startup.tokens(config), Clock.systemUTC());
    var running = new Running(daemon);
    running.watch(file, config);
    running.start(Daemon.Provision.NEVER);
    SystemdNotify.send("READY=1");
    return running.await();
  }
}

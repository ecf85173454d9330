package dev.hmacd.command;

import dev.hmacd.Daemon;
import dev.hmacd.ExitCode;
import dev.hmacd.StartException;
import dev.hmacd.config.Config;
import java.nio.file.Path;
import java.time.Clock;
import java.util.List;

/// `hmacd serve`: the daemon in production.
final class ServeCommand implements Command {
  @Override
  public String description() {
    return "Serves until SIGTERM. Reloads the access rules and the TLS files within seconds of a"
        + " change, and on SIGHUP.";
  }

  @Override
  public List<Option> options() {
    return List.of(CONFIG);
  }

  @Override
  public ExitCode run(Arguments arguments) throws StartException, InterruptedException {
    Reloader.ignoreHangup();
    Path file = arguments.getPath(CONFIG);
    Config config = CommandSetup.config(file);
    FileWarnings.logAll(file, config);
    var exit = new ProcessExit();
    var daemon = new Daemon(config, CommandSetup.tokens(config), Clock.systemUTC(), exit::restart);
    var running = new DaemonRunner(daemon, new Reloader(file, config, daemon), exit);
    return running.run(Daemon.Provision.NEVER, () -> SystemdNotify.send("READY=1"));
  }
}

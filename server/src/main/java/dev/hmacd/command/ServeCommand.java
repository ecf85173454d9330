package dev.hmacd.command;

import dev.hmacd.Daemon;
import dev.hmacd.StartException;
import dev.hmacd.config.Config;
import java.nio.file.Path;
import java.time.Clock;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/// `hmacd serve`: the daemon in production.
@Command(
    name = "serve",
    description =
        "Serves until it is told to stop (SIGTERM); SIGHUP reads rules and certificates anew.",
    mixinStandardHelpOptions = true)
public final class ServeCommand implements Callable<Integer> {
  @Option(names = "--config", required = true, description = "The configuration file.")
  private Path config = Path.of("hmacd.yaml");

  @Override
  public Integer call() throws InterruptedException {
    try {
      Config read = Startup.config(config);
      var daemon = new Daemon(read, Startup.token(read.token()), Clock.systemUTC());
      var running = new Running(daemon);
      running.start(Daemon.Provision.NEVER);
      running.watch(config, read);
      SystemdNotify.send("READY=1");
      return running.await();
    } catch (StartException e) {
      return Startup.failed(e);
    }
  }
}

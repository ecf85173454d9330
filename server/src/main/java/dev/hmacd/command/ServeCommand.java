package dev.hmacd.command;

import dev.hmacd.Daemon;
import dev.hmacd.ExitCode;
import dev.hmacd.StartCheck;
import dev.hmacd.StartCheck.Candidate;
import dev.hmacd.StartException;
import dev.hmacd.StartFailures;
import dev.hmacd.config.Config;
import java.nio.file.Path;
import java.time.Clock;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// `hmacd serve`: the daemon in production. If the start fails, `serve` examines all steps of the
/// start as `hmacd check` does, and reports all failures together.
final class ServeCommand implements Command {
  private static final Logger log = LoggerFactory.getLogger(ServeCommand.class);

  private final StartFailures failures = new StartFailures();

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
    RootWarning.logIfAny(config.registry().path());
    List<Candidate> tokens = new TokenSetup(config, failures).find();
    try {
      failures.throwIfAny();
      return serve(file, config, tokens);
    } catch (StartException e) {
      throw withOtherFailures(e, config, tokens);
    }
  }

  private static ExitCode serve(Path file, Config config, List<Candidate> tokens)
      throws StartException, InterruptedException {
    var exit = new ProcessExit();
    var daemon = new Daemon(config, TokenSetup.tokens(tokens), Clock.systemUTC(), exit::restart);
    var running = new DaemonRunner(daemon, new Reloader(file, config, daemon), exit);
    return running.run(Daemon.Provision.NEVER, () -> SystemdNotify.send("READY=1"));
  }

  /// Examines the steps of the start, and returns the failures of all steps as one failure.
  private StartException withOtherFailures(
      StartException failure, Config config, List<Candidate> tokens) {
    try {
      var _ = new StartCheck(config, tokens, failures, Clock.systemUTC()).run();
    } catch (RuntimeException | Error e) {
      // The exit code of the failure decides about a restart, which could try a refused PIN again.
      log.atError().setCause(e).log("Other steps of the start not examined: unexpected error");
    }
    failures.failed("start", failure);
    return failures.toException();
  }
}

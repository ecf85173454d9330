package dev.hmacd.command;

import dev.hmacd.Daemon;
import dev.hmacd.StartException;
import dev.hmacd.config.Config;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.util.Optional;
import java.util.Set;

/// `hmacd dev`: a daemon for development, with everything it needs in one folder.
final class DevCommand implements Command {
  private static final Duration FIRST_ANSWER = Duration.ofSeconds(30);

  @Override
  public Set<String> options() {
    return Set.of("--dir", "--module", "--token-label", "--pin-file");
  }

  @Override
  public int run(Arguments arguments) throws StartException, InterruptedException {
    Reloader.outliveSignals();
    System.err.println("hmacd dev: for development only. Do not trust it with keys that matter.");
    var folder = new DevFolder(arguments.path("--dir").orElse(Path.of(".hmacd")));
    String label = arguments.value("--token-label").orElse("hmacd-dev");
    Optional<Path> pinFile = arguments.path("--pin-file").map(Path::toAbsolutePath);
    try {
      folder.prepare();
      var token = new DevToken(folder, arguments.path("--module"), label);
      var certificates = new DevCertificates(folder);
      certificates.begin(); // The authority's key takes as long as all of the token.
      Path pin = pinFile.isPresent() ? pinFile.get() : token.provision();
      folder.writeConfig(token.module(), label, pin);

      Config config = Startup.config(folder.config());
      var daemon = new Daemon(config, Startup.tokens(config), Clock.systemUTC());
      var running = new Running(daemon);
      certificates.finish();
      running.watch(folder.config(), config);
      running.start(Daemon.Provision.IF_MISSING);
      if (!daemon.awaitHealthy(FIRST_ANSWER)) {
        throw running.failed(
            new StartException(
                "the token did not give its first MAC", StartException.TEMPORARY, null));
      }
      DevAccessKeys accessKeys;
      try {
        accessKeys = DevAccessKeys.make(daemon);
        folder.writeEnv(
            daemon.tcpAddress().orElseThrow(),
            config.grpc().unix().orElseThrow().path(),
            daemon.awsKmsAddress().orElseThrow(),
            accessKeys);
      } catch (IOException e) {
        throw running.failed(unwritable(e));
      } catch (StartException e) {
        throw running.failed(e);
      }
      System.err.println(
          "hmacd dev: AWS KMS endpoint http:/"
              + daemon.awsKmsAddress().orElseThrow()
              + ", region "
              + DevAccessKeys.REGION
              + ", access key "
              + accessKeys.admin().id()
              + "; its secret is in the file to source");
      System.err.println("hmacd dev: ready; source " + folder.env() + " in a shell that calls it");
      return running.await();
    } catch (IOException e) {
      throw unwritable(e);
    }
  }

  /// Says what is wrong with a file: many exceptions have its name for their whole message.
  private static StartException unwritable(IOException e) {
    return new StartException(
        e.getClass().getSimpleName() + ": " + e.getMessage(), StartException.TEMPORARY, e);
  }
}

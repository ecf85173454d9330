package dev.hmacd.command;

import dev.hmacd.Daemon;
import dev.hmacd.StartException;
import dev.hmacd.config.Config;
import java.io.IOException;
import java.nio.file.FileSystemException;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.util.Optional;
import java.util.Set;

/// `hmacd dev`: a daemon for development, with all of its files in one folder.
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
      certificates.begin(); // In parallel: the certificates take as long as the token.
      Path pin = pinFile.isPresent() ? pinFile.get() : token.provision();
      folder.writeConfig(token.module(), label, pin);

      Config config = Startup.config(folder.config());
      var daemon = new Daemon(config, Startup.tokens(config), Clock.systemUTC());
      var running = new Running(daemon);
      certificates.finish();
      running.watch(folder.config(), config);
      // The folder has both the registry and the token of hmacd dev.
      running.start(
          pinFile.isPresent() ? Daemon.Provision.IF_MISSING : Daemon.Provision.IF_NOT_LOST);
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
      } catch (StartException | RuntimeException | Error e) {
        var _ = running.failed(e);
        throw e;
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

  /// The failure to write a file, with the exception's type. The message of many exceptions is only
  /// the path.
  private static StartException unwritable(IOException e) {
    boolean unusable = e instanceof FileSystemException;
    return new StartException(
        e.getClass().getSimpleName()
            + ": "
            + e.getMessage()
            + (unusable ? "; choose another folder with --dir" : ""),
        unusable ? StartException.CONFIG : StartException.TEMPORARY,
        e);
  }
}

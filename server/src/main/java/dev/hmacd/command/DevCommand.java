package dev.hmacd.command;

import dev.hmacd.Daemon;
import dev.hmacd.ExitCode;
import dev.hmacd.StartException;
import dev.hmacd.config.Config;
import java.io.IOException;
import java.net.InetSocketAddress;
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
  public ExitCode run(Arguments arguments) throws StartException, InterruptedException {
    Reloader.ignoreHangup();
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
      var exit = new ProcessExit();
      var daemon = new Daemon(config, Startup.tokens(config), Clock.systemUTC(), exit::restart);
      var reloader = new Reloader(folder.config(), config, daemon);
      certificates.finish();
      // The folder has both the registry and the token of hmacd dev.
      return new Running(daemon, reloader, exit)
          .run(
              pinFile.isPresent() ? Daemon.Provision.IF_MISSING : Daemon.Provision.IF_NOT_LOST,
              () -> announce(daemon, folder, config));
    } catch (IOException e) {
      throw unwritable(e);
    }
  }

  /// Waits until the daemon is healthy, then writes the file to source and prints its path.
  private static void announce(Daemon daemon, DevFolder folder, Config config)
      throws StartException, InterruptedException {
    if (!daemon.awaitHealthy(FIRST_ANSWER)) {
      throw new StartException("the token did not give its first MAC", ExitCode.TEMPORARY);
    }
    InetSocketAddress awsKms = daemon.awsKmsAddress().orElseThrow();
    DevAccessKeys accessKeys = DevAccessKeys.make(daemon);
    try {
      folder.writeEnv(
          daemon.tcpAddress().orElseThrow(),
          config.grpc().unix().orElseThrow().path(),
          awsKms,
          accessKeys);
    } catch (IOException e) {
      throw unwritable(e);
    }
    System.err.println(
        "hmacd dev: AWS KMS endpoint http:/"
            + awsKms
            + ", region "
            + DevAccessKeys.REGION
            + ", access key "
            + accessKeys.admin().id()
            + "; its secret is in the file to source");
    System.err.println("hmacd dev: ready; source " + folder.env() + " in a shell that calls it");
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
        unusable ? ExitCode.CONFIG : ExitCode.TEMPORARY,
        e);
  }
}

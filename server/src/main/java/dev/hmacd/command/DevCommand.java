package dev.hmacd.command;

import dev.hmacd.Daemon;
import dev.hmacd.ExitCode;
import dev.hmacd.StartException;
import dev.hmacd.config.Config;
import dev.hmacd.file.FileException;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.file.FileSystemException;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/// `hmacd dev`: a daemon for development, with all of its files in one folder.
final class DevCommand implements Command {
  private static final Duration FIRST_ANSWER = Duration.ofSeconds(30);

  private static final Option DIR =
      Option.withDefault("--dir", "DIR", ".hmacd", "Folder of all files.");
  private static final Option MODULE =
      Option.optional(
          "--module", "FILE", "PKCS#11 module. Without it, the installed module of SoftHSM2.");
  private static final Option TOKEN_LABEL =
      Option.withDefault("--token-label", "LABEL", "hmacd-dev", "Label of the token.");
  private static final Option PIN_FILE =
      Option.optional(
          "--pin-file",
          "FILE",
          "File with the PIN of an initialised token. Without it, a new SoftHSM2 token is"
              + " initialised once.");

  @Override
  public String description() {
    return "Serves for development: creates a SoftHSM2 token, a certificate authority and a"
        + " configuration in DIR, listens on loopback and on a Unix socket, and writes DIR/env, a"
        + " file to source. Read permission on DIR permits use of the keys.";
  }

  @Override
  public List<Option> options() {
    return List.of(DIR, MODULE, TOKEN_LABEL, PIN_FILE);
  }

  @Override
  public ExitCode run(Arguments arguments) throws StartException, InterruptedException {
    Reloader.ignoreHangup();
    System.err.println("hmacd dev: for development only. Do not trust it with keys that matter.");
    var folder = new DevFolder(arguments.getPath(DIR));
    var files = new DevFiles(folder);
    String label = arguments.get(TOKEN_LABEL);
    Optional<Path> pinFile = arguments.findPath(PIN_FILE).map(Path::toAbsolutePath);
    try {
      folder.prepare();
      var token = new DevToken(folder, arguments.findPath(MODULE), label);
      var certificates = new DevCertificates(folder);
      certificates.begin(); // Runs in parallel, because it takes as long as the token.
      Path pin = pinFile.isPresent() ? pinFile.get() : token.provision();
      files.writeConfig(token.module(), label, pin);

      Config config = CommandSetup.config(folder.config());
      var exit = new ProcessExit();
      var daemon = new Daemon(config, TokenSetup.tokens(config), Clock.systemUTC(), exit::restart);
      var reloader = new Reloader(folder.config(), config, daemon);
      certificates.finish();
      // Without --pin-file, the folder has both the registry and the token, so a new registry
      // beside an old token means that the registry was lost.
      return new DaemonRunner(daemon, reloader, exit)
          .run(
              pinFile.isPresent() ? Daemon.Provision.IF_MISSING : Daemon.Provision.IF_NOT_LOST,
              () -> announce(daemon, folder, files, config));
    } catch (IOException e) {
      throw unwritable(e);
    }
  }

  /// Waits until the daemon is healthy, then writes the file to source and prints its path.
  private static void announce(Daemon daemon, DevFolder folder, DevFiles files, Config config)
      throws StartException, InterruptedException {
    if (!daemon.awaitHealthy(FIRST_ANSWER)) {
      throw new StartException(
          "the token gave no MAC within " + FIRST_ANSWER.toSeconds() + " s; see the log",
          ExitCode.TEMPORARY);
    }
    InetSocketAddress awsKms = daemon.awsKmsAddress().orElseThrow();
    DevAccessKeys accessKeys = DevAccessKeys.make(daemon);
    try {
      files.writeEnv(
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
    System.err.println("hmacd dev: ready; source " + folder.env() + " in the shell of a client");
  }

  /// The failure to read or write a file of the folder.
  private static StartException unwritable(IOException e) {
    if (e instanceof FileSystemException known) {
      return new StartException(
          "--dir: cannot use "
              + known.getFile()
              + ": "
              + FileException.reason(e)
              + "; give this user write permission, or choose another folder with --dir",
          ExitCode.CONFIG,
          e);
    }
    return new StartException(
        "--dir: cannot use the folder of hmacd dev: "
            + FileException.reason(e)
            + "; free disk space, or choose another folder with --dir",
        ExitCode.TEMPORARY,
        e);
  }
}

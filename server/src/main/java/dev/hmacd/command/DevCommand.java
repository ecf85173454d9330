package dev.hmacd.command;

import dev.hmacd.Daemon;
import dev.hmacd.StartException;
import dev.hmacd.config.Config;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/// `hmacd dev`: a daemon for development, with everything it needs in one folder.
@Command(
    name = "dev",
    description = {
      "Serves for development: makes a SoftHSM2 token, a certificate authority and a configuration in",
      "a folder, listens on loopback and a Unix socket, and writes DIR/env, a file to source.",
      "Whoever can read the folder can use the keys: not for production."
    },
    mixinStandardHelpOptions = true)
public final class DevCommand implements Callable<Integer> {
  private static final Duration FIRST_ANSWER = Duration.ofSeconds(30);

  @Option(names = "--dir", defaultValue = ".hmacd", description = "The folder: ${DEFAULT-VALUE}.")
  private Path dir = Path.of(".hmacd");

  @Option(
      names = "--module",
      description = "A PKCS#11 module other than SoftHSM2's: one in front of it, or any other.")
  private @Nullable Path module;

  @Option(
      names = "--token-label",
      defaultValue = "hmacd-dev",
      description = "The token's label: ${DEFAULT-VALUE}.")
  private String label = "hmacd-dev";

  @Option(
      names = "--pin-file",
      description = "The PIN of a token that is initialised already; without it, one is made.")
  private @Nullable Path pinFile;

  @Override
  public Integer call() throws InterruptedException {
    System.err.println("hmacd dev: for development only. Do not trust it with keys that matter.");
    try {
      var folder = new DevFolder(dir);
      folder.prepare();
      var token = new DevToken(folder, Optional.ofNullable(module), label);
      Path pin = pinFile == null ? token.provision() : pinFile.toAbsolutePath();
      DevCertificates.ensure(folder);
      folder.writeConfig(token.module(), label, pin);

      Config config = Startup.config(folder.config());
      var daemon = new Daemon(config, Startup.token(config.token()), Clock.systemUTC());
      var running = new Running(daemon);
      running.start(Daemon.Provision.IF_MISSING);
      running.watch(folder.config(), config);
      if (!daemon.awaitHealthy(FIRST_ANSWER)) {
        System.err.println("hmacd dev: the token did not give its first MAC");
        return StartException.TEMPORARY;
      }
      folder.writeEnv(daemon.tcpAddress().orElseThrow(), config.grpc().unix().orElseThrow().path());
      System.err.println("hmacd dev: ready; source " + folder.env() + " in a shell that calls it");
      int code = running.await();
      Files.deleteIfExists(folder.env());
      return code;
    } catch (StartException e) {
      return Startup.failed(e);
    } catch (IOException e) {
      return Startup.failed(new StartException(e.getMessage(), StartException.TEMPORARY, e));
    }
  }
}

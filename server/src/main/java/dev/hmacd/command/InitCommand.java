package dev.hmacd.command;

import dev.hmacd.StartException;
import dev.hmacd.config.Config;
import dev.hmacd.key.KeyRegistry;
import dev.hmacd.key.OwnKey;
import dev.hmacd.key.RegistryException;
import dev.hmacd.token.Pkcs11Token;
import dev.hmacd.token.Provisioning;
import dev.hmacd.token.TokenException;
import dev.hmacd.token.TokenSession;
import java.nio.file.Path;
import java.time.Clock;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletionException;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/// `hmacd init`: makes the daemon's own keys on a token.
@Command(
    name = "init",
    description = {
      "Makes the daemon's own keys on the token, and remembers the probe's known answer.",
      "Does nothing where that has been done. The daemon must not run."
    },
    mixinStandardHelpOptions = true)
public final class InitCommand implements Callable<Integer> {
  @Option(names = "--config", required = true, description = "The configuration file.")
  private Path config = Path.of("hmacd.yaml");

  @Override
  public Integer call() {
    try {
      Config read = Startup.config(config);
      Pkcs11Token token = Startup.token(read.token());
      try (var registry = new KeyRegistry(read.registry(), read.arn(), Clock.systemUTC());
          TokenSession session = token.open()) {
        registry.open();
        String serial = token.info().serial();
        Optional<OwnKey> known = registry.ownKey(serial, OwnKey.Purpose.PROBE).join();
        OwnKey probe = Provisioning.probe(session, known);
        if (known.isPresent() && known.get().equals(probe)) {
          System.out.println("The token has the daemon's own keys; nothing was changed.");
        } else {
          var _ = registry.putOwnKey(serial, probe).join();
          System.out.println("The daemon's own keys are on the token.");
        }
        return 0;
      }
    } catch (StartException e) {
      return Startup.failed(e);
    } catch (TokenException e) {
      int code = e.isPinRefused() ? StartException.CONFIG : StartException.TEMPORARY;
      return Startup.failed(new StartException(e.getMessage(), code, e));
    } catch (RegistryException e) {
      return Startup.failed(StartException.of(e));
    } catch (CompletionException e) {
      return Startup.failed(new StartException(e.getMessage(), StartException.TEMPORARY, e));
    }
  }
}

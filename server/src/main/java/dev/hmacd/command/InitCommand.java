package dev.hmacd.command;

import dev.hmacd.StartException;
import dev.hmacd.command.Arguments.UsageException;
import dev.hmacd.config.Config;
import dev.hmacd.key.KeyRegistry;
import dev.hmacd.key.OwnKey;
import dev.hmacd.key.RegistryException;
import dev.hmacd.token.Pkcs11Token;
import dev.hmacd.token.Provisioning;
import dev.hmacd.token.TokenException;
import dev.hmacd.token.TokenSession;
import java.time.Clock;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletionException;

/// `hmacd init`: makes the daemon's own keys on a token. The daemon must not run.
final class InitCommand implements Command {
  @Override
  public Set<String> options() {
    return Set.of("--config");
  }

  @Override
  public int run(Arguments arguments) throws UsageException, StartException {
    Config config = Startup.config(arguments.requiredPath("--config"));
    Pkcs11Token token = Startup.token(config.token());
    try (var registry = new KeyRegistry(config.registry(), config.arn(), Clock.systemUTC());
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
    } catch (TokenException e) {
      throw Startup.failed(e);
    } catch (RegistryException e) {
      throw StartException.of(e);
    } catch (CompletionException e) {
      throw new StartException(e.getMessage(), StartException.TEMPORARY, e);
    }
  }
}

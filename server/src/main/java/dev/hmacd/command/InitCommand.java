package dev.hmacd.command;

import dev.hmacd.StartException;
import dev.hmacd.command.Arguments.UsageException;
import dev.hmacd.config.Config;
import dev.hmacd.key.OwnKey;
import dev.hmacd.key.OwnKeys;
import dev.hmacd.key.RegistryException;
import dev.hmacd.key.RegistryStore;
import dev.hmacd.token.Pkcs11Token;
import dev.hmacd.token.Provisioning;
import dev.hmacd.token.TokenException;
import dev.hmacd.token.TokenSession;
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
    try (var store = new RegistryStore(config.registry(), config.arn());
        TokenSession session = token.open()) {
      store.open();
      var ownKeys = new OwnKeys(store);
      String serial = token.info().serial();
      boolean changed = false;
      for (OwnKey.Purpose purpose : OwnKey.Purpose.values()) {
        Optional<OwnKey> known = ownKeys.find(serial, purpose).join();
        OwnKey key = Provisioning.ensure(session, purpose, known);
        if (!known.equals(Optional.of(key))) {
          var _ = ownKeys.put(serial, key).join();
          changed = true;
        }
      }
      System.out.println(
          changed
              ? "The daemon's own keys are on the token."
              : "The token has the daemon's own keys; nothing was changed.");
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

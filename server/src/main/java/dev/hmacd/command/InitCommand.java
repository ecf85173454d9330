package dev.hmacd.command;

import dev.hmacd.StartException;
import dev.hmacd.command.Arguments.UsageException;
import dev.hmacd.config.Config;
import dev.hmacd.key.KeyRegistry;
import dev.hmacd.key.OwnKeys;
import dev.hmacd.key.RegistryException;
import dev.hmacd.key.RegistryStore;
import dev.hmacd.token.Pkcs11Modules;
import dev.hmacd.token.TokenException;
import java.time.Clock;
import java.util.Set;
import java.util.concurrent.CompletionException;

/// `hmacd init`: makes the daemon's own keys on its tokens, and finds out which of several tokens
/// hold which keys. The daemon must not run.
final class InitCommand implements Command {
  @Override
  public Set<String> options() {
    return Set.of("--config");
  }

  @Override
  public int run(Arguments arguments) throws UsageException, StartException {
    Config config = Startup.config(arguments.requiredPath("--config"));
    var modules = new Pkcs11Modules();
    try (var store = new RegistryStore(config.registry(), config.arn());
        var tokens = new Ceremony(new OwnKeys(store))) {
      var registry = new KeyRegistry(store, Clock.systemUTC());
      store.open();
      for (Config.TokenSettings settings : config.tokens()) {
        tokens.add(Startup.token(modules, settings, settings.sessionCopies()));
      }
      System.out.println(
          tokens.makeOwnKeys()
              ? "The daemon's own keys are on the token."
              : "The token has the daemon's own keys; nothing was changed.");
      tokens.find(registry).forEach(System.out::println);
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

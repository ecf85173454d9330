package dev.hmacd.command;

import dev.hmacd.StartException;
import dev.hmacd.command.Arguments.UsageException;
import dev.hmacd.config.Config;
import dev.hmacd.key.OwnKey;
import dev.hmacd.registry.Registry;
import dev.hmacd.registry.RegistryException;
import dev.hmacd.token.Pkcs11Modules;
import dev.hmacd.token.TokenException;
import java.time.Clock;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletionException;

/// `hmacd init`: creates the daemon's own keys on its tokens, and finds which of several tokens
/// hold which keys. The daemon must not run, and all tokens must be present.
///
/// `--restored OLD=NEW`: the token with serial number NEW was restored from a backup of OLD, and
/// holds the keys of OLD. `--discard-access-keys SERIAL`: the token with the key for access keys is
/// lost for good. A new key is created, and access keys must be created again. `--new-registry`:
/// starts a new registry although tokens hold keys of hmacd.
final class InitCommand implements Command {
  @Override
  public Set<String> options() {
    return Set.of("--config", "--restored", "--discard-access-keys");
  }

  @Override
  public Set<String> flags() {
    return Set.of("--new-registry");
  }

  @Override
  public int run(Arguments arguments) throws UsageException, StartException {
    Config config = Startup.config(arguments.requiredPath("--config"));
    var modules = new Pkcs11Modules();
    try (var registry = new Registry(config.registry(), config.arn(), Clock.systemUTC());
        var tokens = new Ceremony(registry.ownKeys())) {
      registry.open();
      Optional<String> restored = arguments.value("--restored");
      if (restored.isPresent()) {
        restored(registry, restored.get());
      }
      Optional<String> discarded = arguments.value("--discard-access-keys");
      if (discarded.isPresent()) {
        var _ = registry.ownKeys().forget(discarded.get(), OwnKey.Purpose.ACCESS_KEYS).join();
      }
      for (Config.TokenSettings settings : config.tokens()) {
        tokens.add(Startup.token(modules, settings, settings.sessionCopies()));
      }
      if (!arguments.has("--new-registry")) {
        tokens.requireRegistryNotLost(config.registry());
      }
      tokens.requireNotInitialisedAnew();
      System.out.println(
          tokens.makeOwnKeys()
              ? "The daemon's own keys are on the token."
              : "The token has the daemon's own keys; nothing was changed.");
      Ceremony.Holdings holdings = tokens.find(registry);
      holdings.lines().forEach(System.out::println);
      return holdings.isSound() ? 0 : 1;
    } catch (TokenException e) {
      throw Startup.failed(e);
    } catch (RegistryException e) {
      throw StartException.of(e);
    } catch (CompletionException e) {
      throw StartException.of(e);
    }
  }

  private static void restored(Registry registry, String both) throws UsageException {
    int equals = both.indexOf('=');
    if (equals < 1 || equals == both.length() - 1) {
      throw new UsageException("--restored needs OLD=NEW, two serial numbers");
    }
    long keys = registry.writer().restored(both.substring(0, equals), both.substring(equals + 1)).join();
    System.out.println("The restored token is taken to hold " + keys + " keys.");
  }
}

package dev.hmacd.command;

import dev.hmacd.ExitCode;
import dev.hmacd.StartException;
import dev.hmacd.command.Arguments.UsageException;
import dev.hmacd.config.Config;
import dev.hmacd.key.DaemonKey;
import dev.hmacd.registry.Registry;
import dev.hmacd.registry.RegistryException;
import dev.hmacd.token.Pkcs11Modules;
import dev.hmacd.token.TokenException;
import java.time.Clock;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletionException;

/// `hmacd init`: prepares the tokens and the registry for the daemon. The daemon must not run, and
/// all tokens must be present.
final class InitCommand implements Command {
  private static final Option NEW_REGISTRY =
      Option.flag(
          "--new-registry",
          "Start a new registry although a token holds keys of hmacd. Aliases, tags, access keys"
              + " and adoptions of the lost registry are discarded.");
  private static final Option RESTORED =
      Option.optional(
          "--restored",
          "OLD=NEW",
          "Record that token NEW was restored from a backup of token OLD, and holds its keys. Both"
              + " are serial numbers.");
  private static final Option DISCARD_ACCESS_KEYS =
      Option.optional(
          "--discard-access-keys",
          "SERIAL",
          "Create a new key for the secrets of access keys, because the token with this serial"
              + " number is lost. All access keys become invalid.");

  @Override
  public String description() {
    return "Creates the daemon's own keys on its tokens, and stores the expected MAC of the health"
        + " check. With several tokens, it records which token holds which key. A second run"
        + " changes nothing.";
  }

  @Override
  public List<Option> options() {
    return List.of(CONFIG, NEW_REGISTRY, RESTORED, DISCARD_ACCESS_KEYS);
  }

  @Override
  public ExitCode run(Arguments arguments) throws UsageException, StartException {
    Config config = CommandSetup.config(arguments.getPath(CONFIG));
    RootWarning.logIfAny(config.registry().path());
    var modules = new Pkcs11Modules();
    try (var registry = new Registry(config.registry().path(), config.arn(), Clock.systemUTC());
        var tokens = new Ceremony(registry.ownKeys())) {
      registry.open();
      Optional<String> restored = arguments.find(RESTORED);
      if (restored.isPresent()) {
        restored(registry, restored.get());
      }
      Optional<String> discarded = arguments.find(DISCARD_ACCESS_KEYS);
      if (discarded.isPresent()) {
        var _ = registry.ownKeys().forget(discarded.get(), DaemonKey.Purpose.ACCESS_KEYS).join();
      }
      for (Config.TokenSettings settings : config.tokens()) {
        tokens.add(CommandSetup.token(modules, settings, settings.sessionCopies()));
      }
      if (!arguments.has(NEW_REGISTRY)) {
        tokens.requireRegistryNotLost(config.registry().path());
      }
      tokens.requireNotInitialisedAnew();
      System.out.println(
          tokens.makeOwnKeys()
              ? "The daemon's own keys are on the token."
              : "The token has the daemon's own keys; nothing was changed.");
      Ceremony.InventoryReport holdings = tokens.find(registry);
      holdings.lines().forEach(System.out::println);
      return holdings.isSound() ? ExitCode.OK : ExitCode.FAULT_FOUND;
    } catch (TokenException e) {
      throw StartException.of(e);
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
    long keys =
        registry.writer().restored(both.substring(0, equals), both.substring(equals + 1)).join();
    System.out.println(keys + " keys recorded for the restored token.");
  }
}

package dev.hmacd.command;

import dev.hmacd.LostRegistry;
import dev.hmacd.StartException;
import dev.hmacd.command.Arguments.UsageException;
import dev.hmacd.config.Config;
import dev.hmacd.key.OwnKey;
import dev.hmacd.registry.OwnKeys;
import dev.hmacd.registry.Registry;
import dev.hmacd.registry.RegistryException;
import dev.hmacd.token.HealthCheck;
import dev.hmacd.token.Pkcs11Token;
import dev.hmacd.token.Pkcs11Token.MechanismInfo;
import dev.hmacd.token.TokenException;
import dev.hmacd.token.TokenSession;
import dev.hmacd.transport.Tls;
import java.io.IOException;
import java.nio.file.Files;
import java.security.MessageDigest;
import java.time.Clock;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.concurrent.CompletionException;

/// `hmacd check`: tries every step from the configuration to a MAC, and prints a table of the
/// results. It destroys the keys that it creates for its trials.
final class CheckCommand implements Command {
  private final Checklist list = new Checklist();
  private boolean registryLost;
  private boolean registryNew = true;

  @Override
  public Set<String> options() {
    return Set.of("--config");
  }

  @Override
  public int run(Arguments arguments) throws UsageException, StartException, InterruptedException {
    Config config = Startup.config(arguments.requiredPath("--config"));
    list.ok("configuration", config.rules().size() + " rules");
    if (config.rules().isEmpty()) {
      list.warn("access", "no rules: nobody may do anything");
    }
    config.grpc().tcp().ifPresent(this::tls);
    for (Config.TokenSettings settings : config.tokens()) {
      token(config, settings);
    }
    System.out.print(list.table());
    if (registryLost) {
      return StartException.CONFIG;
    }
    return list.hasFailed() ? 1 : 0;
  }

  private void token(Config config, Config.TokenSettings settings) throws InterruptedException {
    try {
      Pkcs11Token token = Startup.token(settings);
      list.ok("module", settings.module().toString());
      var info = token.info();
      list.ok(
          "token",
          info.label()
              + ", serial "
              + info.serial()
              + ", "
              + info.manufacturer()
              + " "
              + info.model());
      sessions(info.maxSessions(), settings.lanes());
      mechanisms(token);
      Optional<OwnKey> known = registry(config, info.serial());
      if (session(config, token, settings, known)) {
        new TokenTrials(token, settings, list).run();
      }
    } catch (StartException e) {
      list.fail("token", String.valueOf(e.getMessage()));
    } catch (TokenException e) {
      list.fail("token", String.valueOf(e.getMessage()));
    }
  }

  private void tls(Config.Tcp tcp) {
    Tls tls = new Tls("grpc.tls", tcp.tls(), "h2");
    try {
      tls.reload();
      list.ok("TLS files", "the daemon's certificate ends " + tls.notAfter());
    } catch (IOException e) {
      list.fail("TLS files", String.valueOf(e.getMessage()));
    }
  }

  private void sessions(OptionalLong max, int lanes) {
    if (max.isEmpty()) {
      list.ok("sessions", lanes + " lanes; the token tells no limit");
    } else if (max.getAsLong() < lanes + 1) {
      list.fail("sessions", lanes + " lanes, but the token takes " + max.getAsLong());
    } else {
      list.ok("sessions", lanes + " lanes of " + max.getAsLong());
    }
  }

  private void mechanisms(Pkcs11Token token) throws TokenException {
    List<MechanismInfo> all = token.mechanisms();
    for (var needed : Pkcs11Token.NEEDED_MECHANISMS.entrySet()) {
      Optional<MechanismInfo> found =
          all.stream().filter(m -> m.type() == needed.getKey() && m.usable()).findFirst();
      if (found.isPresent()) {
        MechanismInfo m = found.get();
        list.ok(needed.getValue(), "key sizes " + m.minKey() + " to " + m.maxKey());
      } else {
        list.warn(needed.getValue(), "not on this token: keys that need it cannot be made or used");
      }
    }
  }

  private Optional<OwnKey> registry(Config config, String serial) {
    if (!Files.exists(config.registry())) {
      list.warn("registry", "not there yet; hmacd init makes it");
      return Optional.empty();
    }
    try (var registry = new Registry(config.registry(), config.arn(), Clock.systemUTC())) {
      registry.open();
      list.ok("registry", registry.lists().creating().join().size() + " keys whose creation was not ended");
      OwnKeys ownKeys = registry.ownKeys();
      registryNew = ownKeys.isEmpty().join();
      return ownKeys.find(serial, OwnKey.Purpose.PROBE).join();
    } catch (RegistryException e) {
      registryNew = false;
      if (e.needsOperator()) {
        list.fail("registry", String.valueOf(e.getMessage()));
        return Optional.empty();
      }
      list.warn(
          "registry", String.valueOf(e.getMessage()) + "; the probe's answer is not compared");
      return Optional.empty();
    } catch (CompletionException e) {
      registryNew = false;
      list.warn(
          "registry", String.valueOf(e.getMessage()) + "; the probe's answer is not compared");
      return Optional.empty();
    }
  }

  /// Checks the login and the probe key. Returns false if the token fails.
  private boolean session(
      Config config, Pkcs11Token token, Config.TokenSettings settings, Optional<OwnKey> known) {
    try (TokenSession session = token.open()) {
      list.ok("login", "with the PIN of " + settings.pinFile());
      if (registryNew && isRegistryLost(config, token, session)) {
        return true;
      }
      if (known.isEmpty()) {
        list.warn(
            "probe key", "its answer is not known here; run hmacd init if that was never done");
        return true;
      }
      var found = session.find(new TokenSession.Query.ByBoth(known.get().object()));
      if (found.isEmpty() && LostRegistry.keysOfHmacd(session).isNone()) {
        list.fail(
            "probe key",
            "the registry has keys of hmacd on this token, but the token holds none: it was"
                + " initialised again, or is another token; restore its backup");
        return true;
      }
      if (found.size() != 1) {
        list.fail("probe key", found.size() + " objects " + known.get().object().label());
        return true;
      }
      list.ok("probe key", TokenTrials.attributes(found.getFirst().attributes()));
      knownAnswer(session, known.get());
      return true;
    } catch (TokenException e) {
      list.fail("login", String.valueOf(e.getMessage()));
      return false;
    }
  }

  private boolean isRegistryLost(Config config, Pkcs11Token token, TokenSession session)
      throws TokenException {
    TokenSession.Count keys = LostRegistry.keysKnownBefore(session);
    if (keys.isNone()) {
      return false;
    }
    registryLost = true;
    list.fail(
        "registry",
        String.valueOf(
            LostRegistry.lost(config.registry(), token.info().serial(), keys, LostRegistry.INIT)
                .getMessage()));
    return true;
  }

  private void knownAnswer(TokenSession session, OwnKey probe) throws TokenException {
    long handle = session.load(probe.object());
    try {
      byte[] mac = session.sign(handle, HealthCheck.ALGORITHM, HealthCheck.message());
      if (MessageDigest.isEqual(mac, probe.knownAnswer())) {
        list.ok("known answer", HealthCheck.ALGORITHM + " under the probe key is what it was");
      } else {
        list.fail("known answer", "the probe key gave another MAC than when it was made");
      }
    } finally {
      session.unload(handle);
    }
  }
}

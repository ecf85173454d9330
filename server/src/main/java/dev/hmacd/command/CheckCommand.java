package dev.hmacd.command;

import dev.hmacd.ExitCode;
import dev.hmacd.FileDescriptorDemand;
import dev.hmacd.LostRegistryDetector;
import dev.hmacd.StartException;
import dev.hmacd.config.Config;
import dev.hmacd.config.TlsConfig;
import dev.hmacd.key.DaemonKey;
import dev.hmacd.registry.DaemonKeyRegistry;
import dev.hmacd.registry.Registry;
import dev.hmacd.registry.RegistryException;
import dev.hmacd.token.HealthCheck;
import dev.hmacd.token.KeyTypeSetting;
import dev.hmacd.token.PinFile;
import dev.hmacd.token.Pkcs11Modules;
import dev.hmacd.token.Pkcs11Token;
import dev.hmacd.token.Pkcs11Token.MechanismInfo;
import dev.hmacd.token.TokenException;
import dev.hmacd.token.TokenSession;
import dev.hmacd.transport.FileDescriptors;
import dev.hmacd.transport.TlsContext;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.time.Clock;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.CompletionException;

/// `hmacd check`: prints a table with a test result for each step from the configuration to a MAC.
/// Destroys the keys that it creates for its trials.
final class CheckCommand implements Command {
  private final Checklist list = new Checklist();
  private boolean registryLost;
  private boolean registryNew = true;

  @Override
  public String description() {
    return "Tests the configuration, the limit of file descriptors, the TLS files, each token and"
        + " the registry, and prints a table of the results. Tests no address and no socket path.";
  }

  @Override
  public List<Option> options() {
    return List.of(CONFIG);
  }

  @Override
  public ExitCode run(Arguments arguments) throws StartException, InterruptedException {
    Path file = arguments.getPath(CONFIG);
    Config config = CommandSetup.config(file);
    list.ok("configuration", config.rules().size() + " rules");
    for (FileWarnings.FileWarning warning : FileWarnings.find(file, config)) {
      list.warn("permissions", warning.key() + ": " + warning.text());
    }
    if (config.rules().isEmpty()) {
      list.warn("access", "no rules: no caller has any permission");
    }
    fileDescriptors(config);
    config.grpc().tcp().ifPresent(tcp -> tls("grpc.tls", tcp.tls()));
    config.awsKms().flatMap(Config.AwsKms::tls).ifPresent(files -> tls("aws_kms.tls", files));
    for (Config.TokenSettings settings : config.tokens()) {
      token(config, settings);
    }
    System.out.print(list.table());
    if (registryLost) {
      return ExitCode.CONFIG;
    }
    return list.hasFailed() ? ExitCode.FAULT_FOUND : ExitCode.OK;
  }

  private void fileDescriptors(Config config) {
    OptionalLong limit = FileDescriptors.max();
    var demand = FileDescriptorDemand.of(config);
    demand
        .shortage(limit)
        .ifPresentOrElse(
            shortage -> list.warn("file descriptors", shortage.text()),
            () ->
                list.ok(
                    "file descriptors",
                    "limit "
                        + (limit.isPresent() ? Long.toString(limit.getAsLong()) : "unknown")
                        + ", the configured bounds need "
                        + demand.needed()));
  }

  /// Checks a token. A failed step skips only the steps that need its result.
  private void token(Config config, Config.TokenSettings settings) throws InterruptedException {
    boolean isPinUsable = isPinUsable(settings.pinFile());
    Optional<Pkcs11Token> found = find(settings);
    if (found.isEmpty()) {
      // Without the token, the serial number may be unknown. The probe key is not checked.
      var _ = registry(config, "");
      return;
    }
    Pkcs11Token token = found.get();
    sessions(token.info().maxSessions(), settings.lanes());
    mechanisms(token, settings.keyType());
    Optional<DaemonKey> known = registry(config, token.info().serial());
    if (!isPinUsable) {
      list.warn("login", "not checked: the PIN file is not usable");
    } else if (session(config, token, settings, known)) {
      new TokenTrials(token, settings, list).run();
    }
  }

  /// Checks the PIN file without a login, which would use up an attempt at a wrong PIN.
  private boolean isPinUsable(Path file) {
    try {
      Arrays.fill(new PinFile(file).read(), '\0');
      return true;
    } catch (IOException e) {
      list.fail("PIN file", String.valueOf(e.getMessage()));
      return false;
    }
  }

  /// Loads the module and finds the token.
  private Optional<Pkcs11Token> find(Config.TokenSettings settings) {
    var modules = new Pkcs11Modules();
    try {
      modules.load(settings.module(), settings.initArgs());
      list.ok("module", settings.module().toString());
    } catch (TokenException e) {
      list.fail("module", String.valueOf(e.getMessage()));
      return Optional.empty();
    }
    try {
      Pkcs11Token token = CommandSetup.token(modules, settings, settings.sessionCopies());
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
      return Optional.of(token);
    } catch (StartException e) {
      list.fail("token", String.valueOf(e.getMessage()));
      return Optional.empty();
    }
  }

  private void tls(String section, TlsConfig files) {
    TlsContext tls = new TlsContext(section, files, Clock.systemUTC(), "h2");
    try {
      tls.reload();
      list.ok(section, "the daemon's certificate expires at " + tls.notAfter());
      if (files.clientCa().isPresent()) {
        authorities(section + ".client_ca", tls);
      }
    } catch (IOException e) {
      list.fail(section, String.valueOf(e.getMessage()));
    }
  }

  private void authorities(String key, TlsContext tls) {
    int leftOut = tls.authoritiesLeftOut();
    if (leftOut > 0) {
      list.warn(
          key, leftOut + " certificate authorities have expired or are not valid yet; see the log");
    } else {
      list.ok(key, "the first certificate authority expires at " + tls.earliestAuthorityExpiry());
    }
  }

  private void sessions(OptionalLong max, int lanes) {
    if (max.isEmpty()) {
      list.ok("sessions", lanes + " lanes; the token reports no limit of sessions");
    } else if (max.getAsLong() < lanes + 1) {
      list.fail(
          "sessions",
          lanes
              + " lanes need "
              + (lanes + 1)
              + " sessions, but the token allows "
              + max.getAsLong()
              + " sessions");
    } else {
      list.ok("sessions", lanes + " lanes; the token allows " + max.getAsLong() + " sessions");
    }
  }

  private void mechanisms(Pkcs11Token token, KeyTypeSetting keyType) {
    List<MechanismInfo> all;
    try {
      all = token.mechanisms();
    } catch (TokenException e) {
      list.fail("mechanisms", String.valueOf(e.getMessage()));
      return;
    }
    for (var needed : Pkcs11Token.neededMechanisms(keyType).entrySet()) {
      Optional<MechanismInfo> found =
          all.stream().filter(m -> m.type() == needed.getKey() && m.usable()).findFirst();
      if (found.isPresent()) {
        MechanismInfo m = found.get();
        list.ok(needed.getValue(), "key sizes " + m.minKey() + " to " + m.maxKey());
      } else {
        list.warn(
            needed.getValue(),
            "not supported by the token: keys that need it cannot be created or used");
      }
    }
  }

  private Optional<DaemonKey> registry(Config config, String serial) {
    if (!Files.exists(config.registry())) {
      list.warn("registry", "does not exist yet; hmacd init creates it");
      return Optional.empty();
    }
    try (var registry = new Registry(config.registry(), config.arn(), Clock.systemUTC())) {
      registry.open();
      list.ok("registry", registry.lists().creating().join().size() + " keys in state CREATING");
      DaemonKeyRegistry ownKeys = registry.ownKeys();
      registryNew = ownKeys.isEmpty().join();
      return ownKeys.find(serial, DaemonKey.Purpose.PROBE).join();
    } catch (RegistryException e) {
      registryNew = false;
      if (e.needsOperator()) {
        list.fail("registry", String.valueOf(e.getMessage()));
        return Optional.empty();
      }
      list.warn("registry", String.valueOf(e.getMessage()) + "; the probe key is not checked");
      return Optional.empty();
    } catch (CompletionException e) {
      registryNew = false;
      list.warn("registry", String.valueOf(e.getMessage()) + "; the probe key is not checked");
      return Optional.empty();
    }
  }

  /// Checks the login and the probe key. Returns false if the token fails.
  private boolean session(
      Config config, Pkcs11Token token, Config.TokenSettings settings, Optional<DaemonKey> known) {
    try (TokenSession session = token.open()) {
      list.ok("login", "with the PIN of " + settings.pinFile());
      if (registryNew && isRegistryLost(config, token, session)) {
        return true;
      }
      if (known.isEmpty()) {
        list.warn(
            "probe key",
            "not checked: no record of the probe key in the registry; run hmacd init if it never"
                + " ran");
        return true;
      }
      var found = session.find(new TokenSession.Query.ByBoth(known.get().object()));
      if (found.isEmpty() && LostRegistryDetector.keysOfHmacd(session).isNone()) {
        list.fail(
            "probe key",
            "the registry has recorded keys of hmacd on this token, but the token holds no key of"
                + " hmacd: the token was initialised again, or is another token; restore its"
                + " backup");
        return true;
      }
      if (found.size() != 1) {
        list.fail(
            "probe key",
            found.size()
                + " objects have the recorded id and the label "
                + known.get().object().label()
                + "; there must be one");
        return true;
      }
      list.ok("probe key", TokenExtractionCheck.attributes(found.getFirst().attributes()));
      knownAnswer(session, known.get());
      return true;
    } catch (TokenException e) {
      list.fail("login", String.valueOf(e.getMessage()));
      return false;
    }
  }

  private boolean isRegistryLost(Config config, Pkcs11Token token, TokenSession session)
      throws TokenException {
    TokenSession.Count keys = LostRegistryDetector.keysKnownBefore(session);
    if (keys.isNone()) {
      return false;
    }
    registryLost = true;
    list.fail(
        "registry",
        String.valueOf(
            LostRegistryDetector.lost(
                    config.registry(), token.info().serial(), keys, LostRegistryDetector.INIT)
                .getMessage()));
    return true;
  }

  private void knownAnswer(TokenSession session, DaemonKey probe) throws TokenException {
    long handle = session.load(probe.object());
    try {
      byte[] mac = session.sign(handle, HealthCheck.ALGORITHM, HealthCheck.message());
      if (MessageDigest.isEqual(mac, probe.knownAnswer())) {
        list.ok("known answer", HealthCheck.ALGORITHM + " under the probe key is correct");
      } else {
        list.fail("known answer", "the probe key gave another MAC than at its creation");
      }
    } finally {
      session.unload(handle);
    }
  }
}

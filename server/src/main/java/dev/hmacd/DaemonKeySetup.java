package dev.hmacd;

import dev.hmacd.key.DaemonKey;
import dev.hmacd.registry.DaemonKeyRegistry;
import dev.hmacd.token.Provisioning;
import dev.hmacd.token.Token;
import dev.hmacd.token.TokenException;
import dev.hmacd.token.TokenSession;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// Finds the daemon's own keys at the start of the daemon. Creates missing own keys if
/// [Daemon.Provision] permits it.
///
/// The registry must be open. If the registry fails, the methods throw a
/// [dev.hmacd.registry.RegistryException], or a [java.util.concurrent.CompletionException] with
/// this cause.
final class DaemonKeySetup {
  private final Path registry;
  private final DaemonKeyRegistry ownKeys;
  private final List<Token> tokens;

  /// @param registry path of the registry, for error messages
  /// @param tokens in the order of the configuration
  DaemonKeySetup(Path registry, DaemonKeyRegistry ownKeys, List<Token> tokens) {
    this.registry = registry;
    this.ownKeys = ownKeys;
    this.tokens = List.copyOf(tokens);
  }

  /// The master key, from which the secrets of access keys are derived.
  ///
  /// @param holders serial numbers of the tokens that hold the master key
  record AccessKeyMaster(DaemonKey key, List<String> holders) {}

  /// Creates missing own keys of the daemon, if `provision` permits it.
  ///
  /// @throws StartException if the registry was lost, or lists probe keys only on tokens that are
  ///   not present
  void createMissing(Daemon.Provision provision) throws StartException, TokenException {
    switch (provision) {
      case NEVER -> {}
      case IF_NOT_LOST -> {
        requireRegistryNotLost("remove the folder of hmacd dev");
        requireKnownTokens();
        createMissing();
      }
      case IF_MISSING -> createMissing();
    }
  }

  private void createMissing() throws TokenException {
    for (Token token : tokens) {
      for (DaemonKey.Purpose purpose : DaemonKey.Purpose.values()) {
        if (find(serial(token), purpose).isPresent()) {
          continue;
        }
        try (TokenSession session = token.open()) {
          DaemonKey created = Provisioning.ensure(session, purpose, Optional.empty());
          var _ = ownKeys.put(serial(token), created).join();
        }
      }
    }
  }

  /// The probe keys (keys for the health check), by serial number of their token.
  Map<String, DaemonKey> probeKeys() throws StartException, TokenException {
    Map<String, DaemonKey> found = new HashMap<>();
    for (Token token : tokens) {
      found.put(serial(token), probeKey(token));
    }
    return found;
  }

  /// The probe key of a token.
  DaemonKey probeKey(Token token) throws StartException, TokenException {
    Optional<DaemonKey> key = find(serial(token), DaemonKey.Purpose.PROBE);
    if (key.isEmpty()) {
      requireRegistryNotLost(LostRegistryDetector.INIT);
      throw missing(DaemonKey.Purpose.PROBE, serial(token));
    }
    return key.get();
  }

  /// Finds the master key of access keys on the first token with a master key. Other tokens may
  /// hold a copy of the same key.
  AccessKeyMaster accessKeyMaster() throws StartException {
    Optional<DaemonKey> master = Optional.empty();
    List<String> holders = new ArrayList<>();
    for (String serial : serials()) {
      Optional<DaemonKey> key = find(serial, DaemonKey.Purpose.ACCESS_KEYS);
      if (master.isEmpty()) {
        master = key;
      }
      if (key.isPresent() && key.equals(master)) {
        holders.add(serial);
      }
    }
    if (master.isEmpty()) {
      throw missing(DaemonKey.Purpose.ACCESS_KEYS, String.join(" or ", serials()));
    }
    return new AccessKeyMaster(master.get(), holders);
  }

  /// Refuses a new registry if a token holds keys of hmacd. Searches the tokens only if the
  /// registry is new.
  private void requireRegistryNotLost(String otherwise) throws StartException, TokenException {
    if (!ownKeys.isEmpty().join()) {
      return;
    }
    for (Token token : tokens) {
      try (TokenSession session = token.open()) {
        TokenSession.Count keys = LostRegistryDetector.keysKnownBefore(session);
        if (!keys.isNone()) {
          throw LostRegistryDetector.lost(registry, serial(token), keys, otherwise);
        }
      }
    }
  }

  /// Refuses a registry that lists probe keys only on tokens that are not present.
  private void requireKnownTokens() throws StartException {
    List<String> known = recordedTokens(DaemonKey.Purpose.PROBE);
    if (!known.isEmpty() && serials().stream().noneMatch(known::contains)) {
      throw new StartException(
          "token "
              + String.join(" or ", known)
              + " is not present, but the registry "
              + registry
              + " lists keys of hmacd on this token: restore the token, or remove the folder of"
              + " hmacd dev",
          ExitCode.CONFIG);
    }
  }

  /// Serial numbers, in the order of the configuration.
  private List<String> serials() {
    return tokens.stream().map(DaemonKeySetup::serial).toList();
  }

  private static String serial(Token token) {
    return token.info().serial();
  }

  private Optional<DaemonKey> find(String serial, DaemonKey.Purpose purpose) {
    return ownKeys.find(serial, purpose).join();
  }

  private List<String> recordedTokens(DaemonKey.Purpose purpose) {
    return ownKeys.tokenSerials(purpose).join();
  }

  private StartException missing(DaemonKey.Purpose purpose, String serial) {
    List<String> others = recordedTokens(purpose);
    return new StartException(
        "registry.path: the registry "
            + registry
            + " has no record of the key "
            + DaemonKey.label(purpose)
            + " on token "
            + serial
            + (others.isEmpty()
                ? ": run hmacd init"
                : ", but lists this key on token "
                    + String.join(" and ", others)
                    + ": configure that token. If token "
                    + serial
                    + " was restored from its backup: hmacd init --restored "
                    + others.getFirst()
                    + "="
                    + serial
                    + ". If token "
                    + serial
                    + " was added: hmacd init. If token "
                    + others.getFirst()
                    + " is lost without a backup: hmacd init --discard-access-keys "
                    + others.getFirst()),
        ExitCode.CONFIG);
  }
}

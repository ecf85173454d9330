package dev.hmacd.command;

import dev.hmacd.ExitCode;
import dev.hmacd.LostRegistryDetector;
import dev.hmacd.StartException;
import dev.hmacd.key.DaemonKey;
import dev.hmacd.registry.DaemonKeyRegistry;
import dev.hmacd.registry.Registry;
import dev.hmacd.token.Provisioning;
import dev.hmacd.token.Token;
import dev.hmacd.token.TokenException;
import dev.hmacd.token.TokenSession;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/// The operations of `hmacd init` on the tokens. All operations are idempotent.
final class Ceremony implements AutoCloseable {
  private final DaemonKeyRegistry ownKeys;
  private final TokenSessions sessions = new TokenSessions();

  Ceremony(DaemonKeyRegistry ownKeys) {
    this.ownKeys = ownKeys;
  }

  /// Opens a session with a token.
  void add(Token token) throws TokenException {
    sessions.open(token);
  }

  /// @param registry path of the registry, for the error message
  ///
  /// @throws StartException if the registry is new, but a token holds keys of hmacd
  void requireRegistryNotLost(Path registry) throws TokenException, StartException {
    if (!ownKeys.isEmpty().join()) {
      return;
    }
    for (var each : sessions.all().entrySet()) {
      TokenSession.Count keys = LostRegistryDetector.keysKnownBefore(each.getValue());
      if (!keys.isNone()) {
        throw LostRegistryDetector.lost(registry, each.getKey(), keys, LostRegistryDetector.INIT);
      }
    }
  }

  /// Refuses a token that has lost all keys of hmacd, or the key for access keys. A lost probe key
  /// can be created again, but not the key for access keys, because secrets are derived from it. A
  /// token that has lost all keys of hmacd is another token, or was initialised again.
  ///
  /// @throws StartException if a token has lost all keys of hmacd, or the key for access keys that
  ///   the registry lists on it
  void requireNotInitialisedAnew() throws TokenException, StartException {
    for (var each : sessions.all().entrySet()) {
      String serial = each.getKey();
      Optional<DaemonKey> probe = known(serial, DaemonKey.Purpose.PROBE);
      Optional<DaemonKey> master = known(serial, DaemonKey.Purpose.ACCESS_KEYS);
      TokenSession.Count keys = LostRegistryDetector.keysOfHmacd(each.getValue());
      // If not all keys were counted, the two own keys are searched for by label and id.
      if (probe.isPresent()
          && keys.keys() == 0
          && (keys.isComplete()
              || !holdsAny(serial, Stream.concat(probe.stream(), master.stream()).toList()))) {
        throw new StartException(
            "the registry lists keys of hmacd on token "
                + serial
                + (keys.isComplete()
                    ? ", but the token holds no key of hmacd: the token was initialised again, or"
                        + " the configuration names another token."
                    : ", but these keys were not found among the many keys of the token: the token"
                        + " may have been initialised again, or the configuration may name another"
                        + " token.")
                + " Restore the backup of the token. If its keys are lost for good, move the"
                + " registry away and run hmacd init",
            ExitCode.CONFIG);
      }
      if (master.isPresent() && !sessions.holds(serial, master.get().object())) {
        throw new StartException(
            "token "
                + serial
                + " lacks "
                + DaemonKey.label(DaemonKey.Purpose.ACCESS_KEYS)
                + ", from which secrets of access keys are derived: restore the backup of the"
                + " token. Without a backup, use --discard-access-keys "
                + serial
                + " and create all access keys again",
            ExitCode.CONFIG);
      }
    }
  }

  /// Creates missing own keys of the daemon: a probe key on each token, and one key for access
  /// keys. The key for access keys is on the token [#home]. Other tokens hold the key for access
  /// keys only if an operator has copied the key.
  ///
  /// @return true if a key was created, or a key was found that was not in the registry
  ///
  /// @throws StartException if the registry lists the key for access keys only on tokens that are
  ///   not configured: a new key would invalidate all access keys
  boolean makeOwnKeys() throws TokenException, StartException {
    List<String> holders = ownKeys.tokenSerials(DaemonKey.Purpose.ACCESS_KEYS).join();
    if (!holders.isEmpty() && holders.stream().noneMatch(sessions::has)) {
      throw new StartException(
          "token "
              + String.join(" or ", holders)
              + " is not configured, but holds the key from which the secrets of access keys are"
              + " derived: if the token was restored, use --restored OLD=NEW; otherwise use"
              + " --discard-access-keys SERIAL, and create all access keys again",
          ExitCode.CONFIG);
    }
    boolean changed = false;
    for (String serial : sessions.serials()) {
      changed |= ensure(serial, DaemonKey.Purpose.PROBE);
    }
    String home = home();
    changed |= ensure(home, DaemonKey.Purpose.ACCESS_KEYS);
    DaemonKey master = known(home, DaemonKey.Purpose.ACCESS_KEYS).orElseThrow();
    for (String serial : sessions.serials()) {
      if (!serial.equals(home) && sessions.holds(serial, master.object())) {
        DaemonKey copy =
            Provisioning.ensure(sessions.get(serial), master.purpose(), Optional.of(master));
        changed |= remember(serial, copy);
      }
    }
    return changed;
  }

  /// Serial number of the token whose key for access keys is in use: the first token on which the
  /// registry lists the key for access keys, otherwise the first token.
  private String home() {
    return sessions.serials().stream()
        .filter(serial -> known(serial, DaemonKey.Purpose.ACCESS_KEYS).isPresent())
        .findFirst()
        .orElseGet(() -> sessions.serials().iterator().next());
  }

  private boolean ensure(String serial, DaemonKey.Purpose purpose) throws TokenException {
    return remember(
        serial, Provisioning.ensure(sessions.get(serial), purpose, known(serial, purpose)));
  }

  private boolean remember(String serial, DaemonKey key) {
    if (known(serial, key.purpose()).equals(Optional.of(key))) {
      return false;
    }
    var _ = ownKeys.put(serial, key).join();
    return true;
  }

  private Optional<DaemonKey> known(String serial, DaemonKey.Purpose purpose) {
    return ownKeys.find(serial, purpose).join();
  }

  private boolean holdsAny(String serial, List<DaemonKey> own) throws TokenException {
    for (DaemonKey each : own) {
      if (sessions.holds(serial, each.object())) {
        return true;
      }
    }
    return false;
  }

  /// Report of which tokens hold which keys of the registry.
  ///
  /// @param lines text lines for an operator; empty with one token
  /// @param isSound false if a token has another key under the label and id of a key, or if a key
  ///   on a token could not be used or compared
  record InventoryReport(List<String> lines, boolean isSound) {}

  /// Finds which of several tokens hold which keys, and records the result in the registry.
  InventoryReport find(Registry registry) throws TokenException {
    return new KeyInventory(sessions, registry).find();
  }

  @Override
  public void close() {
    sessions.close();
  }
}

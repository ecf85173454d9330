package dev.hmacd.command;

import dev.hmacd.LostRegistry;
import dev.hmacd.StartException;
import dev.hmacd.key.KeyCheck;
import dev.hmacd.key.KeyEntry;
import dev.hmacd.key.KeyObject;
import dev.hmacd.key.KeyState;
import dev.hmacd.key.OwnKey;
import dev.hmacd.registry.KeyWriter;
import dev.hmacd.registry.OwnKeys;
import dev.hmacd.registry.Registry;
import dev.hmacd.registry.RegistryException;
import dev.hmacd.token.Provisioning;
import dev.hmacd.token.Token;
import dev.hmacd.token.TokenException;
import dev.hmacd.token.TokenSession;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletionException;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// The operations of `hmacd init` on the tokens, in one session per token. Idempotent.
final class Ceremony implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(Ceremony.class);

  private final OwnKeys ownKeys;

  /// Sessions by serial number of the token, in the order of the configuration.
  private final Map<String, TokenSession> sessions = new LinkedHashMap<>();

  Ceremony(OwnKeys ownKeys) {
    this.ownKeys = ownKeys;
  }

  /// Opens a session with a token.
  void add(Token token) throws TokenException {
    sessions.put(token.info().serial(), token.open());
  }

  /// @param registry its path, for the error message
  ///
  /// @throws StartException if the registry is new, but a token holds keys of hmacd
  void requireRegistryNotLost(Path registry) throws TokenException, StartException {
    if (!ownKeys.isEmpty().join()) {
      return;
    }
    for (var each : sessions.entrySet()) {
      TokenSession.Count keys = LostRegistry.keysKnownBefore(each.getValue());
      if (!keys.isNone()) {
        throw LostRegistry.lost(registry, each.getKey(), keys, LostRegistry.INIT);
      }
    }
  }

  /// Refuses a token that lost keys. A missing probe key can be created again. A missing key for
  /// access keys cannot, because secrets are derived from it. If a token has none of the keys that
  /// the registry has recorded for it, it is another token or was initialised again.
  ///
  /// @throws StartException if the registry has recorded keys of a token that the token lacks
  void requireNotInitialisedAnew() throws TokenException, StartException {
    for (var each : sessions.entrySet()) {
      String serial = each.getKey();
      Optional<OwnKey> probe = known(serial, OwnKey.Purpose.PROBE);
      Optional<OwnKey> master = known(serial, OwnKey.Purpose.ACCESS_KEYS);
      TokenSession.Count keys = LostRegistry.keysOfHmacd(each.getValue());
      // If not all keys were counted, these two are searched for by name.
      if (probe.isPresent()
          && keys.keys() == 0
          && (keys.isComplete()
              || !holdsAny(serial, Stream.concat(probe.stream(), master.stream()).toList()))) {
        throw new StartException(
            "the registry has keys of hmacd on token "
                + serial
                + (keys.isComplete()
                    ? ", but the token holds none: it was initialised again, or is another token."
                    : ", but none was found among its many keys: it may have been initialised again,"
                        + " or be another token.")
                + " Restore the backup of the token. If its keys are lost for good, move the"
                + " registry away and run hmacd init",
            StartException.CONFIG,
            null);
      }
      if (master.isPresent() && !holds(serial, master.get().object())) {
        throw new StartException(
            "token "
                + serial
                + " lacks "
                + OwnKey.label(OwnKey.Purpose.ACCESS_KEYS)
                + ", from which secrets of access keys are derived: restore the backup of the token."
                + " Without a backup, use --discard-access-keys "
                + serial
                + " and make all access keys again",
            StartException.CONFIG,
            null);
      }
    }
  }

  /// Creates missing own keys of the daemon: a probe key on each token, and one key for access
  /// keys. The key for access keys is on [#home]. Other tokens hold it only if an operator has
  /// copied it.
  ///
  /// @return whether a key was created, or a key was found that the registry did not have
  ///
  /// @throws StartException if secrets of access keys are derived from a key of a token that is not
  ///   configured: a new key would invalidate all of them
  boolean makeOwnKeys() throws TokenException, StartException {
    List<String> holders = ownKeys.tokenSerials(OwnKey.Purpose.ACCESS_KEYS).join();
    if (!holders.isEmpty() && holders.stream().noneMatch(sessions::containsKey)) {
      throw new StartException(
          "secrets of access keys are derived from a key of token "
              + String.join(" or ", holders)
              + ", which is not configured: use --restored OLD=NEW if it was restored, else"
              + " --discard-access-keys SERIAL and make all access keys again",
          StartException.CONFIG,
          null);
    }
    boolean changed = false;
    for (String serial : sessions.keySet()) {
      changed |= ensure(serial, OwnKey.Purpose.PROBE);
    }
    String home = home();
    changed |= ensure(home, OwnKey.Purpose.ACCESS_KEYS);
    OwnKey master = known(home, OwnKey.Purpose.ACCESS_KEYS).orElseThrow();
    for (String serial : sessions.keySet()) {
      if (!serial.equals(home) && holds(serial, master.object())) {
        OwnKey copy = Provisioning.ensure(session(serial), master.purpose(), Optional.of(master));
        changed |= remember(serial, copy);
      }
    }
    return changed;
  }

  /// The token whose key for access keys is in use: the first token with one, otherwise the first
  /// token.
  private String home() {
    return sessions.keySet().stream()
        .filter(serial -> known(serial, OwnKey.Purpose.ACCESS_KEYS).isPresent())
        .findFirst()
        .orElseGet(() -> sessions.keySet().iterator().next());
  }

  private boolean ensure(String serial, OwnKey.Purpose purpose) throws TokenException {
    return remember(serial, Provisioning.ensure(session(serial), purpose, known(serial, purpose)));
  }

  private boolean remember(String serial, OwnKey key) {
    if (known(serial, key.purpose()).equals(Optional.of(key))) {
      return false;
    }
    var _ = ownKeys.put(serial, key).join();
    return true;
  }

  private Optional<OwnKey> known(String serial, OwnKey.Purpose purpose) {
    return ownKeys.find(serial, purpose).join();
  }

  private TokenSession session(String serial) {
    TokenSession session = sessions.get(serial);
    if (session == null) {
      throw new IllegalArgumentException("no session with " + serial);
    }
    return session;
  }

  private boolean holdsAny(String serial, List<OwnKey> own) throws TokenException {
    for (OwnKey each : own) {
      if (holds(serial, each.object())) {
        return true;
      }
    }
    return false;
  }

  private boolean holds(String serial, KeyObject object) throws TokenException {
    return session(serial).find(new TokenSession.Query.ByBoth(object)).size() == 1;
  }

  /// Which tokens hold which keys of the registry.
  ///
  /// @param lines for an operator; empty with one token
  /// @param isSound false if a token has another key under the same label and id, or if its key
  ///   could not be used or compared
  record Holdings(List<String> lines, boolean isSound) {}

  /// Finds which of several tokens hold which keys, and checks recorded tokens, too. A token holds
  /// a key if its object has the same label and id, is fit for use, and gives the known check
  /// value. Without a known check value, the first recorded token that gives a MAC defines the
  /// check value. The registry stores it.
  Holdings find(Registry registry) throws TokenException {
    List<String> lines = new ArrayList<>();
    boolean sound = true;
    if (sessions.size() < 2) {
      return new Holdings(lines, sound);
    }
    Map<String, Integer> held = new LinkedHashMap<>();
    sessions.keySet().forEach(serial -> held.put(serial, 0));
    int all = 0;
    for (KeyEntry key : registry.lists().all()) {
      if (key.state() == KeyState.CREATING) {
        continue;
      }
      all++;
      if (key.tokenSerials().stream().noneMatch(sessions::containsKey)) {
        lines.add("Key " + key.id() + ": none of its tokens is configured.");
        continue;
      }
      Optional<KeyCheck> check = check(registry.writer(), key);
      boolean isElsewhere = check.isPresent() && hasHolder(key, check.get());
      for (String serial : sessions.keySet()) {
        Holding holding = holding(key, serial, check, lines);
        sound &= holding == Holding.SAME || holding == Holding.NONE;
        if (remembered(registry.writer(), key, serial, holding, isElsewhere, lines)) {
          held.merge(serial, 1, Integer::sum);
        }
      }
    }
    for (var token : held.entrySet()) {
      lines.add("Token " + token.getKey() + " holds " + token.getValue() + " of " + all + " keys.");
    }
    return new Holdings(lines, sound);
  }

  private enum Holding {
    SAME,
    NONE,
    ANOTHER,
    UNKNOWN
  }

  /// The check value of a key: that of the registry, otherwise that of the first recorded token of
  /// the key that gives a MAC.
  private Optional<KeyCheck> check(KeyWriter registry, KeyEntry key) {
    if (key.check() != null) {
      return Optional.of(key.check());
    }
    for (String serial : key.tokenSerials()) {
      if (sessions.containsKey(serial)) {
        try {
          KeyEntry recognised = registry.recognise(key.id(), answer(serial, key)).join();
          log.atInfo()
              .addKeyValue("key_id", key.id())
              .addKeyValue("token_serial", serial)
              .log("Check value stored for a key without one");
          return Optional.ofNullable(recognised.check());
        } catch (TokenException e) {
          log.atDebug().setCause(e).log("MAC not computed by a token of the key");
        }
      }
    }
    return Optional.empty();
  }

  /// Whether one of the recorded tokens of a key holds it.
  private boolean hasHolder(KeyEntry key, KeyCheck check) {
    for (String serial : key.tokenSerials()) {
      if (sessions.containsKey(serial)) {
        try {
          if (answer(serial, key).equals(check)) {
            return true;
          }
        } catch (TokenException e) {
          log.atDebug().setCause(e).log("MAC not computed by a token of the key");
        }
      }
    }
    return false;
  }

  private Holding holding(
      KeyEntry key, String serial, Optional<KeyCheck> right, List<String> lines) {
    try {
      if (!holds(serial, key.object())) {
        return Holding.NONE;
      }
      KeyCheck answer = answer(serial, key);
      if (right.isEmpty() || answer.equals(right.get())) {
        return right.isEmpty() ? Holding.UNKNOWN : Holding.SAME;
      }
      lines.add(about(key, serial, "has ANOTHER key under the same label and id"));
      return Holding.ANOTHER;
    } catch (TokenException e) {
      lines.add(about(key, serial, "cannot use the key: " + e.getMessage()));
      return Holding.UNKNOWN;
    }
  }

  /// Records the result in the registry. A recorded token is removed only if it lacks the object
  /// and another token has the key. If two tokens have different keys, an operator must decide.
  ///
  /// @return whether the token holds the key
  private static boolean remembered(
      KeyWriter registry,
      KeyEntry key,
      String serial,
      Holding holding,
      boolean isElsewhere,
      List<String> lines) {
    boolean known = key.tokenSerials().contains(serial);
    if (holding == Holding.SAME && !known) {
      try {
        var _ = registry.alsoOn(key.id(), serial).join();
      } catch (CompletionException e) {
        if (e.getCause() instanceof RegistryException refused
            && refused.kind() == RegistryException.Kind.OBJECT_TAKEN) {
          lines.add(
              about(key, serial, "holds the key's object as another key, which was adopted there"));
          return false;
        }
        throw e;
      }
    } else if (holding == Holding.NONE && known) {
      lines.add(about(key, serial, "does not hold the key any more"));
      if (isElsewhere) {
        var _ = registry.notOn(key.id(), serial).join();
      }
    } else if (holding == Holding.ANOTHER && known) {
      lines.add(
          about(
              key,
              serial,
              "stays a token of this key, and gives no MAC of it until the other key is removed"));
    }
    return holding == Holding.SAME;
  }

  private static String about(KeyEntry key, String serial, String what) {
    return "Key " + key.id() + ": token " + serial + " " + what + ".";
  }

  /// The check value that a token computes.
  private KeyCheck answer(String serial, KeyEntry key) throws TokenException {
    byte[] mac =
        session(serial)
            .signOnce(
                key.object(), key.spec().algorithm(), KeyCheck.message(key.id(), key.version()));
    return KeyCheck.of(key.id(), key.version(), key.spec().algorithm(), mac);
  }

  @Override
  public void close() {
    sessions.values().forEach(TokenSession::close);
  }
}

package dev.hmacd.command;

import dev.hmacd.StartException;
import dev.hmacd.key.KeyEntry;
import dev.hmacd.key.KeyObject;
import dev.hmacd.key.KeyRegistry;
import dev.hmacd.key.KeyState;
import dev.hmacd.key.OwnKey;
import dev.hmacd.key.OwnKeys;
import dev.hmacd.key.RegistryException;
import dev.hmacd.token.Provisioning;
import dev.hmacd.token.Token;
import dev.hmacd.token.TokenException;
import dev.hmacd.token.TokenSession;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletionException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// What `hmacd init` does on the tokens, in a session with each. Idempotent.
final class Ceremony implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(Ceremony.class);
  private static final byte[] TRIAL = "hmacd init".getBytes(StandardCharsets.UTF_8);

  private final OwnKeys ownKeys;

  /// By serial number, in the order of the configuration.
  private final Map<String, TokenSession> sessions = new LinkedHashMap<>();

  Ceremony(OwnKeys ownKeys) {
    this.ownKeys = ownKeys;
  }

  /// Opens a session with a token.
  void add(Token token) throws TokenException {
    sessions.put(token.info().serial(), token.open());
  }

  /// Makes what is missing of the daemon's own keys: a probe key on each token, and one key for
  /// access keys. That one is on the first token, and on others as far as somebody has copied it.
  ///
  /// @return whether anything was made, or found that was not known
  ///
  /// @throws StartException when secrets of access keys come from a key of a token that is not
  ///   here: a new one would make all of them worthless
  boolean makeOwnKeys() throws TokenException, StartException {
    List<String> holders = ownKeys.tokenSerials(OwnKey.Purpose.ACCESS_KEYS).join();
    if (!holders.isEmpty() && holders.stream().noneMatch(sessions::containsKey)) {
      throw new StartException(
          "secrets of access keys come from a key of token "
              + String.join(" or ", holders)
              + ", which is not configured: --restored OLD=NEW if it was restored, else"
              + " --discard-access-keys SERIAL, and make all access keys anew",
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

  /// The token whose key for access keys is in use: the first that has one.
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

  private boolean holds(String serial, KeyObject object) throws TokenException {
    return session(serial).find(new TokenSession.Query.ByBoth(object)).size() == 1;
  }

  /// What was found of the keys that the registry knows.
  ///
  /// @param lines for an operator; empty with one token
  /// @param isSound whether no token has another key where one should be
  record Holdings(List<String> lines, boolean isSound) {}

  /// Finds out which of several tokens hold which keys, of those too that are known to. A key
  /// counts as held when it has the same label and id, is fit for use, and gives the MAC that the
  /// first token gives which is known to hold it.
  Holdings find(KeyRegistry registry) throws TokenException {
    List<String> lines = new ArrayList<>();
    boolean sound = true;
    if (sessions.size() < 2) {
      return new Holdings(lines, sound);
    }
    Map<String, Integer> held = new LinkedHashMap<>();
    sessions.keySet().forEach(serial -> held.put(serial, 0));
    int all = 0;
    for (KeyEntry key : registry.all()) {
      if (key.state() == KeyState.CREATING) {
        continue;
      }
      all++;
      if (key.tokenSerials().stream().noneMatch(sessions::containsKey)) {
        lines.add("Key " + key.id() + ": none of its tokens is configured.");
        continue;
      }
      Optional<byte[]> mac = firstMac(key);
      for (String serial : sessions.keySet()) {
        Holding holding = holding(key, serial, mac, lines);
        sound &= holding == Holding.SAME || holding == Holding.NONE;
        if (remembered(registry, key, serial, holding, mac.isPresent(), lines)) {
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

  /// The MAC of the first token that is known to hold a key, and gives one.
  private Optional<byte[]> firstMac(KeyEntry key) {
    for (String serial : key.tokenSerials()) {
      if (sessions.containsKey(serial)) {
        try {
          return Optional.of(mac(serial, key));
        } catch (TokenException e) {
          log.atDebug().setCause(e).log("A token that holds a key gives no MAC");
        }
      }
    }
    return Optional.empty();
  }

  private Holding holding(KeyEntry key, String serial, Optional<byte[]> right, List<String> lines) {
    try {
      if (!holds(serial, key.object())) {
        return Holding.NONE;
      }
      byte[] mac = mac(serial, key);
      if (right.isEmpty() || MessageDigest.isEqual(mac, right.get())) {
        return right.isEmpty() ? Holding.UNKNOWN : Holding.SAME;
      }
      lines.add(about(key, serial, "has ANOTHER key under the same label and id"));
      return Holding.ANOTHER;
    } catch (TokenException e) {
      lines.add(about(key, serial, "cannot use it: " + e.getMessage()));
      return Holding.UNKNOWN;
    }
  }

  /// Has the registry say what was seen. Nothing is taken from what it says unless the object is
  /// gone and another token still has the key: who has the right one of two, an operator must say.
  ///
  /// @return whether the token holds the key
  private static boolean remembered(
      KeyRegistry registry,
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
          lines.add(about(key, serial, "has it as another key, which was adopted there"));
          return false;
        }
        throw e;
      }
    } else if (holding == Holding.NONE && known) {
      lines.add(about(key, serial, "does not hold it any more"));
      if (isElsewhere) {
        var _ = registry.notOn(key.id(), serial).join();
      }
    } else if (holding == Holding.ANOTHER && known) {
      lines.add(
          about(
              key, serial, "is still asked for it: MACs depend on which token is, until one goes"));
    }
    return holding == Holding.SAME;
  }

  private static String about(KeyEntry key, String serial, String what) {
    return "Key " + key.id() + ": token " + serial + " " + what + ".";
  }

  private byte[] mac(String serial, KeyEntry key) throws TokenException {
    TokenSession session = session(serial);
    long handle = session.load(key.object());
    try {
      return session.sign(handle, key.spec().algorithm(), TRIAL);
    } finally {
      session.unload(handle);
    }
  }

  @Override
  public void close() {
    sessions.values().forEach(TokenSession::close);
  }
}

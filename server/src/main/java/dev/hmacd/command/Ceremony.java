package dev.hmacd.command;

import dev.hmacd.key.KeyEntry;
import dev.hmacd.key.KeyObject;
import dev.hmacd.key.KeyRegistry;
import dev.hmacd.key.KeyState;
import dev.hmacd.key.MacAlgorithm;
import dev.hmacd.key.OwnKey;
import dev.hmacd.key.OwnKeys;
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

/// What `hmacd init` does on the tokens, in a session with each. Idempotent.
final class Ceremony implements AutoCloseable {
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
  boolean makeOwnKeys() throws TokenException {
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

  /// Finds out which of several tokens hold keys that the registry knows on others. A key counts as
  /// held when it has the same label and id, is fit for use, and gives the same MAC.
  ///
  /// @return what was found, in lines for an operator; empty with one token
  List<String> find(KeyRegistry registry) throws TokenException {
    List<String> lines = new ArrayList<>();
    if (sessions.size() < 2) {
      return lines;
    }
    for (String serial : sessions.keySet()) {
      int held = 0;
      int all = 0;
      for (KeyEntry key : registry.all()) {
        if (key.state() == KeyState.CREATING) {
          continue;
        }
        all++;
        if (key.tokenSerials().contains(serial) || found(registry, key, serial, lines)) {
          held++;
        }
      }
      lines.add("Token " + serial + " holds " + held + " of " + all + " keys.");
    }
    return lines;
  }

  private boolean found(KeyRegistry registry, KeyEntry key, String serial, List<String> lines)
      throws TokenException {
    Optional<String> holder = key.tokenSerials().stream().filter(sessions::containsKey).findFirst();
    if (holder.isEmpty() || !holds(serial, key.object())) {
      return false;
    }
    MacAlgorithm algorithm = key.spec().algorithm();
    try {
      if (!isSame(holder.get(), serial, key.object(), algorithm)) {
        lines.add(about(key, serial, "has ANOTHER key under the same label and id"));
        return false;
      }
    } catch (TokenException e) {
      lines.add(about(key, serial, "cannot use it: " + e.getMessage()));
      return false;
    }
    var _ = registry.alsoOn(key.id(), serial).join();
    return true;
  }

  private static String about(KeyEntry key, String serial, String what) {
    return "Key " + key.id() + ": token " + serial + " " + what + "; it is not used there.";
  }

  private boolean isSame(String one, String other, KeyObject object, MacAlgorithm algorithm)
      throws TokenException {
    return MessageDigest.isEqual(mac(one, object, algorithm), mac(other, object, algorithm));
  }

  private byte[] mac(String serial, KeyObject object, MacAlgorithm algorithm)
      throws TokenException {
    TokenSession session = session(serial);
    long handle = session.load(object);
    try {
      return session.sign(handle, algorithm, TRIAL);
    } finally {
      session.unload(handle);
    }
  }

  @Override
  public void close() {
    sessions.values().forEach(TokenSession::close);
  }
}

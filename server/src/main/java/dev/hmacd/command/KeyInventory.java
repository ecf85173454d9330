package dev.hmacd.command;

import dev.hmacd.key.Key;
import dev.hmacd.key.KeyCheckValue;
import dev.hmacd.key.KeyState;
import dev.hmacd.registry.KeyLists;
import dev.hmacd.registry.Registry;
import dev.hmacd.registry.RegistryException;
import dev.hmacd.token.TokenException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletionException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Inventory of keys for `hmacd init`: finds which tokens hold which keys, and records it in the
/// registry.
final class KeyInventory {
  private static final Logger log = LoggerFactory.getLogger(KeyInventory.class);

  private final TokenSessions sessions;
  private final Registry registry;

  KeyInventory(TokenSessions sessions, Registry registry) {
    this.sessions = sessions;
    this.registry = registry;
  }

  /// Finds which of several tokens hold which keys, and checks the recorded tokens of each key,
  /// too. A token holds a key if an object has the label and id of the key, has attributes that
  /// permit MACs, and gives the known check value. If the registry has no check value of a key, the
  /// first recorded token that gives a MAC defines the check value. The registry stores this check
  /// value.
  Ceremony.InventoryReport find() throws TokenException {
    List<String> lines = new ArrayList<>();
    boolean sound = true;
    if (sessions.serials().size() < 2) {
      return new Ceremony.InventoryReport(lines, sound);
    }
    Map<String, Integer> held = new LinkedHashMap<>();
    sessions.serials().forEach(serial -> held.put(serial, 0));
    int all = 0;
    String after = "";
    for (List<Key> page = page(after); !page.isEmpty(); page = page(after)) {
      for (Key key : page) {
        if (key.state() != KeyState.CREATING) {
          all++;
          sound &= examine(key, held, lines);
        }
      }
      after = page.getLast().id().value();
    }
    for (var token : held.entrySet()) {
      lines.add("Token " + token.getKey() + " holds " + token.getValue() + " of " + all + " keys.");
    }
    return new Ceremony.InventoryReport(lines, sound);
  }

  private List<Key> page(String after) {
    return registry.lists().page(after, KeyLists.MAX_PAGE).join();
  }

  /// Finds which tokens hold a key.
  ///
  /// @param held number of keys by token
  /// @return false if a token holds another key under the label and id
  private boolean examine(Key key, Map<String, Integer> held, List<String> lines)
      throws TokenException {
    if (key.tokenSerials().stream().noneMatch(sessions::has)) {
      lines.add("Key " + key.id() + ": none of its tokens is configured.");
      return true;
    }
    boolean sound = true;
    Optional<KeyCheckValue> check = check(key);
    boolean isElsewhere = check.isPresent() && hasHolder(key, check.get());
    for (String serial : sessions.serials()) {
      Holding holding = holding(key, serial, check, lines);
      sound &= holding == Holding.SAME || holding == Holding.NONE;
      if (recorded(key, serial, holding, isElsewhere, lines)) {
        held.merge(serial, 1, Integer::sum);
      }
    }
    return sound;
  }

  private enum Holding {
    SAME,
    NONE,
    ANOTHER,
    UNKNOWN
  }

  /// The check value of a key, from the registry. If the registry has none, the first recorded
  /// token that can use the key computes it.
  private Optional<KeyCheckValue> check(Key key) {
    if (key.check() != null) {
      return Optional.of(key.check());
    }
    for (String serial : key.tokenSerials()) {
      if (sessions.has(serial)) {
        try {
          Key recognised =
              registry.writer().storeCheckValue(key.id(), checkValue(serial, key)).join();
          log.atInfo()
              .addKeyValue("key_id", key.id())
              .addKeyValue("token_serial", serial)
              .log("Missing check value of a key computed and stored");
          return Optional.ofNullable(recognised.check());
        } catch (TokenException e) {
          logNotComputed(key, serial, e);
        }
      }
    }
    return Optional.empty();
  }

  private static void logNotComputed(Key key, String serial, TokenException e) {
    log.atDebug()
        .addKeyValue("key_id", key.id())
        .addKeyValue("token_serial", serial)
        .setCause(e)
        .log("Check value of a key not computed by a recorded token");
  }

  /// Whether a recorded token of a key holds the key.
  private boolean hasHolder(Key key, KeyCheckValue check) {
    for (String serial : key.tokenSerials()) {
      if (sessions.has(serial)) {
        try {
          if (checkValue(serial, key).equals(check)) {
            return true;
          }
        } catch (TokenException e) {
          logNotComputed(key, serial, e);
        }
      }
    }
    return false;
  }

  private Holding holding(
      Key key, String serial, Optional<KeyCheckValue> expected, List<String> lines) {
    try {
      if (!sessions.holds(serial, key.object())) {
        return Holding.NONE;
      }
      KeyCheckValue computed = checkValue(serial, key);
      if (expected.isEmpty() || computed.equals(expected.get())) {
        return expected.isEmpty() ? Holding.UNKNOWN : Holding.SAME;
      }
      lines.add(about(key, serial, "has ANOTHER key under the same label and id"));
      return Holding.ANOTHER;
    } catch (TokenException e) {
      lines.add(about(key, serial, "cannot use the key: " + e.getMessage()));
      return Holding.UNKNOWN;
    }
  }

  /// Records in the registry whether a token holds a key. A recorded token of the key is removed
  /// only if the token lacks the key's object and another token holds the key. If a token holds
  /// another key under the label and id, the registry is not changed. The report names the key and
  /// the token, and an operator must remove the wrong key.
  ///
  /// @return whether the token holds the key
  private boolean recorded(
      Key key, String serial, Holding holding, boolean isElsewhere, List<String> lines) {
    boolean known = key.tokenSerials().contains(serial);
    if (holding == Holding.SAME && !known) {
      try {
        var _ = registry.writer().alsoOn(key.id(), serial).join();
      } catch (CompletionException e) {
        if (e.getCause() instanceof RegistryException refused
            && refused.kind() == RegistryException.Kind.OBJECT_TAKEN) {
          lines.add(
              about(
                  key,
                  serial,
                  "holds the key's object, but the object was adopted as another key"));
          return false;
        }
        throw e;
      }
    } else if (holding == Holding.NONE && known) {
      lines.add(about(key, serial, "does not hold the key any more"));
      if (isElsewhere) {
        var _ = registry.writer().notOn(key.id(), serial).join();
      }
    } else if (holding == Holding.ANOTHER && known) {
      lines.add(
          about(
              key,
              serial,
              "stays a token of this key, but computes no MAC under this key until the other key is"
                  + " removed"));
    }
    return holding == Holding.SAME;
  }

  private static String about(Key key, String serial, String what) {
    return "Key " + key.id() + ": token " + serial + " " + what + ".";
  }

  /// Computes the check value of a key on a token.
  private KeyCheckValue checkValue(String serial, Key key) throws TokenException {
    byte[] mac =
        sessions
            .get(serial)
            .signOnce(
                key.object(),
                key.spec().algorithm(),
                KeyCheckValue.message(key.id(), key.currentVersion().number()));
    return KeyCheckValue.of(key.id(), key.currentVersion().number(), key.spec().algorithm(), mac);
  }
}

package dev.hmacd;

import dev.hmacd.key.DaemonKey;
import dev.hmacd.key.KeyObject;
import dev.hmacd.token.TokenException;
import dev.hmacd.token.TokenSession;
import dev.hmacd.token.TokenSession.Count;
import java.nio.file.Path;
import java.util.Set;

/// Detects the loss of the registry: the registry is new, but a token holds keys of hmacd.
///
/// A new registry has no key ids for the keys on the token. The aliases, tags, access keys and list
/// of adopted keys of the old registry are lost, too. The detector cannot find adopted keys,
/// because adopted keys have labels of other programs.
public final class LostRegistryDetector {
  private static final Set<String> LABELS =
      Set.of(KeyObject.RESERVED_PREFIX, KeyObject.MADE_PREFIX);

  /// Label prefixes of keys that only a daemon with a registry creates. The label of the key for
  /// access keys is not in this set: a key ceremony may import the key for access keys on all
  /// tokens before the first `hmacd init`.
  private static final Set<String> KNOWN_BEFORE =
      Set.of(DaemonKey.label(DaemonKey.Purpose.PROBE), KeyObject.MADE_PREFIX);

  /// Maximum number of secret keys that are read on a token. If the token has more secret keys, the
  /// unread keys may be keys of hmacd. A count of zero proves that the token has no keys of hmacd
  /// only if all secret keys were read.
  static final int MAX_COUNTED = 10_000;

  /// Remedy for an operator without a backup of the registry.
  public static final String INIT = "run hmacd init --new-registry";

  private LostRegistryDetector() {}

  /// Counts the keys of hmacd on a token.
  public static Count keysOfHmacd(TokenSession session) throws TokenException {
    return session.count(LABELS, MAX_COUNTED);
  }

  /// Counts the keys of hmacd on a token, if an earlier registry has recorded keys on the token.
  /// The count is zero for a token that is new to hmacd.
  public static Count keysKnownBefore(TokenSession session) throws TokenException {
    Count known = session.count(KNOWN_BEFORE, MAX_COUNTED);
    return known.isNone() ? known : keysOfHmacd(session);
  }

  /// The failure of a start because the registry is new, but a token holds, or may hold, keys of
  /// hmacd.
  ///
  /// @param registry path of the new registry
  /// @param serial serial number of a token that holds, or may hold, keys of hmacd
  /// @param otherwise remedy for an operator without a backup of the registry
  public static StartException lost(Path registry, String serial, Count keys, String otherwise) {
    return new StartException(
        "registry.path: the registry "
            + registry
            + " is new, but token "
            + serial
            + holds(keys)
            + ": restore the backup of the registry. If there is none, "
            + otherwise,
        ExitCode.CONFIG);
  }

  private static String holds(Count keys) {
    if (keys.keys() == 0) {
      return " has more than "
          + MAX_COUNTED
          + " secret keys, and the uncounted secret keys may be keys of hmacd";
    }
    return (keys.isComplete() ? " holds " : " holds at least ")
        + keys.keys()
        + (keys.keys() == 1 ? " key" : " keys")
        + " of hmacd";
  }
}

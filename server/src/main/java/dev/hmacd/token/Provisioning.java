package dev.hmacd.token;

import dev.hmacd.key.DaemonKey;
import dev.hmacd.key.KeyObject;
import dev.hmacd.token.TokenException.Kind;
import dev.hmacd.token.TokenSession.Found;
import dev.hmacd.token.TokenSession.Query;
import java.security.MessageDigest;
import java.security.SecureRandom;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;

/// Creates or finds the daemon's own keys on a token. Idempotent.
public final class Provisioning {
  private static final int KEY_BYTES = 32;
  private static final int ID_BYTES = 16;

  private Provisioning() {}

  /// Finds or generates the daemon's own key for a purpose, and computes its known answer. The
  /// token object with the label of the purpose is the key. If no token object has this label, a
  /// new key is generated.
  ///
  /// @throws TokenException if a call of the token fails, if several objects have the label, or if
  ///   the MAC differs from the known answer in the registry. In the last case, an operator must
  ///   act, because the token cannot be trusted
  public static DaemonKey ensure(
      TokenSession session, DaemonKey.Purpose purpose, Optional<DaemonKey> remembered)
      throws TokenException {
    String label = DaemonKey.label(purpose);
    List<Found> found = session.find(new Query.ByLabel(label));
    if (found.size() > 1) {
      throw new TokenException(
          Kind.KEY_AMBIGUOUS, "more than one object on the token has the label " + label);
    }
    KeyObject object;
    if (found.isEmpty()) {
      byte[] id = new byte[ID_BYTES];
      new SecureRandom().nextBytes(id);
      object = new KeyObject(label, HexFormat.of().formatHex(id));
      session.generate(object, KEY_BYTES);
    } else {
      object = found.getFirst().object();
    }
    long handle = session.load(object);
    byte[] answer;
    try {
      answer = session.sign(handle, HealthCheck.ALGORITHM, HealthCheck.message());
    } finally {
      session.unload(handle);
    }
    if (remembered.isPresent()
        && remembered.get().object().equals(object)
        && !MessageDigest.isEqual(answer, remembered.get().knownAnswer())) {
      throw TokenException.fault(
          TokenException.Fault.DEVICE,
          label + ": the MAC differs from the known answer in the registry");
    }
    return new DaemonKey(purpose, object, HexFormat.of().formatHex(answer));
  }
}

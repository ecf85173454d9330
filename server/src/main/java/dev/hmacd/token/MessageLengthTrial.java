package dev.hmacd.token;

import dev.hmacd.key.KeyObject;
import java.util.Optional;

/// A trial of the longest message that callers may send: whether a token computes its MAC. Tokens
/// have limits of their own, which PKCS#11 does not report.
///
/// @param setting configuration key of the maximum
/// @param min least value of the configuration key, in bytes
/// @param max the configured maximum length of a message, in bytes
public record MessageLengthTrial(String setting, int min, int max) {
  /// Computes the MAC of a message of the maximum length. If the token refuses the length, searches
  /// for the longest message that the token takes, with at most 20 MACs.
  ///
  /// @param session must be closed afterwards: the session keeps the handle of the key, and may be
  ///   unusable after a fault of the token
  /// @param key the health check key
  /// @return the limitation of the token, with the remedy; empty if the token takes the message
  /// @throws TokenException if the token does not compute the MAC of a short message either, or
  ///   fails during the search
  public Optional<String> run(TokenSession session, KeyObject key) throws TokenException {
    long handle = session.loadTokenObject(key);
    int taken = HealthCheck.message().length;
    sign(session, handle, taken);
    String refusal;
    try {
      sign(session, handle, max);
      return Optional.empty();
    } catch (TokenException e) {
      refusal = String.valueOf(e.getMessage());
      if (!e.isLengthRefused()) {
        return Optional.of(
            setting
                + ": the token does not compute the MAC of a message of "
                + max
                + " bytes ("
                + refusal
                + "); set a lower value, or examine the token");
      }
    }
    int refused = max;
    while (refused - taken > 1) {
      int tried = taken + (refused - taken) / 2;
      if (takes(session, handle, tried)) {
        taken = tried;
      } else {
        refused = tried;
      }
    }
    return Optional.of(
        setting
            + ": the token takes messages of at most "
            + taken
            + " bytes, but callers may send "
            + max
            + " ("
            + refusal
            + "); "
            + (taken < min
                ? "callers get MESSAGE_TOO_LONG for longer messages"
                : "set the value " + taken));
  }

  private static boolean takes(TokenSession session, long handle, int length)
      throws TokenException {
    try {
      sign(session, handle, length);
      return true;
    } catch (TokenException e) {
      if (e.isLengthRefused()) {
        return false;
      }
      throw e;
    }
  }

  private static void sign(TokenSession session, long handle, int length) throws TokenException {
    byte[] _ = session.sign(handle, HealthCheck.ALGORITHM, new byte[length]);
  }
}

package dev.hmacd.command;

import dev.hmacd.LostRegistryDetector;
import dev.hmacd.key.DaemonKey;
import dev.hmacd.token.HealthCheck;
import dev.hmacd.token.MessageLengthTrial;
import dev.hmacd.token.Token;
import dev.hmacd.token.TokenException;
import dev.hmacd.token.TokenSession;
import java.security.MessageDigest;

/// Checks the probe key on a token: its object, its known answer, and the longest message. The
/// daemon starts even with a wrong probe key, but the token is then out of service.
final class ProbeKeyCheck {
  private final Checklist list;
  private final MessageLengthTrial longest;

  ProbeKeyCheck(Checklist list, MessageLengthTrial longest) {
    this.list = list;
    this.longest = longest;
  }

  /// @param probe the registry's record of the probe key
  void run(Token token, DaemonKey probe) {
    try (TokenSession session = token.open()) {
      var found = session.find(new TokenSession.Query.ByBoth(probe.object()));
      if (found.isEmpty() && LostRegistryDetector.keysOfHmacd(session).isNone()) {
        list.tolerated(
            "probe key",
            "the registry lists keys of hmacd on this token, but the token holds no key of hmacd:"
                + " the token was initialised again, or the configuration names another token;"
                + " restore the token's backup");
      } else if (found.size() != 1) {
        list.tolerated(
            "probe key",
            found.size()
                + " objects have the recorded id and the label "
                + probe.object().label()
                + "; exactly one object must have them; "
                + (found.isEmpty()
                    ? "restore the token's backup"
                    : "destroy the other objects with the token's own tools"));
      } else {
        list.passed("probe key", TokenExtractionCheck.attributes(found.getFirst().attributes()));
        knownAnswer(session, probe);
        longestMessage(session, probe);
      }
    } catch (TokenException e) {
      list.tolerated("probe key", String.valueOf(e.getMessage()));
    }
  }

  private void longestMessage(TokenSession session, DaemonKey probe) throws TokenException {
    longest
        .run(session, probe.object())
        .ifPresentOrElse(
            limitation -> list.warned("longest message", limitation),
            () -> list.passed("longest message", longest.max() + " bytes"));
  }

  private void knownAnswer(TokenSession session, DaemonKey probe) throws TokenException {
    long handle = session.load(probe.object());
    try {
      byte[] mac = session.sign(handle, HealthCheck.ALGORITHM, HealthCheck.message());
      if (MessageDigest.isEqual(mac, probe.knownAnswer())) {
        list.passed("known answer", HealthCheck.ALGORITHM + " under the probe key is correct");
      } else {
        list.tolerated(
            "known answer",
            "the MAC under the probe key differs from the known answer in the registry; examine the"
                + " HSM, and restore the token's backup if the object was replaced");
      }
    } finally {
      session.unload(handle);
    }
  }
}

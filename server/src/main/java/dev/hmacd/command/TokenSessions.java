package dev.hmacd.command;

import dev.hmacd.key.KeyObject;
import dev.hmacd.token.Token;
import dev.hmacd.token.TokenException;
import dev.hmacd.token.TokenSession;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;

/// The sessions of `hmacd init`, one per token, in the order of the configuration.
final class TokenSessions implements AutoCloseable {
  private final Map<String, TokenSession> bySerial = new LinkedHashMap<>();

  void open(Token token) throws TokenException {
    bySerial.put(token.info().serial(), token.open());
  }

  /// All sessions, by serial number of the token.
  Map<String, TokenSession> all() {
    return Collections.unmodifiableMap(bySerial);
  }

  /// The serial numbers of the tokens.
  Set<String> serials() {
    return all().keySet();
  }

  boolean has(String serial) {
    return bySerial.containsKey(serial);
  }

  TokenSession get(String serial) {
    TokenSession session = bySerial.get(serial);
    if (session == null) {
      throw new IllegalArgumentException(
          "no session is open on the token with the serial number " + serial);
    }
    return session;
  }

  /// Whether a token holds exactly one object with the given label and id.
  boolean holds(String serial, KeyObject object) throws TokenException {
    return get(serial).find(new TokenSession.Query.ByBoth(object)).size() == 1;
  }

  @Override
  public void close() {
    bySerial.values().forEach(TokenSession::close);
  }
}

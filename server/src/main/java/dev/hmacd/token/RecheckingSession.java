package dev.hmacd.token;

import dev.hmacd.key.KeyAttributes;
import dev.hmacd.key.KeyObject;
import dev.hmacd.key.MacAlgorithm;
import dev.hmacd.token.TokenException.Kind;
import java.util.List;
import java.util.Set;

/// A lane's session, for work other than the computation of MACs. Reports an object as missing or
/// refused only while the health check key is usable. So the registry keeps the keys of a token
/// whose storage is temporarily absent.
///
/// The storage of the token may return between the search for an object and the search for the
/// health check key. So this class searches for a missing object again after it has found the
/// health check key.
final class RecheckingSession implements TokenSession {
  private final TokenSession session;
  private final LaneSession lane;

  RecheckingSession(TokenSession session, LaneSession lane) {
    this.session = session;
    this.lane = lane;
  }

  @Override
  public long load(KeyObject key) throws TokenException {
    try {
      return session.load(key);
    } catch (TokenException e) {
      if (e.kind() != Kind.KEY_MISSING) {
        throw e;
      }
      lane.requireObjects();
      return session.load(key);
    }
  }

  @Override
  public long loadTokenObject(KeyObject key) throws TokenException {
    try {
      return session.loadTokenObject(key);
    } catch (TokenException e) {
      if (e.kind() != Kind.KEY_MISSING) {
        throw e;
      }
      lane.requireObjects();
      return session.loadTokenObject(key);
    }
  }

  @Override
  public boolean isCopy(long handle) {
    return session.isCopy(handle);
  }

  @Override
  public void unload(long handle) throws TokenException {
    session.unload(handle);
  }

  @Override
  public byte[] sign(long handle, MacAlgorithm algorithm, byte[] message) throws TokenException {
    try {
      return session.sign(handle, algorithm, message);
    } catch (TokenException e) {
      throw lane.decided(e, message.length);
    }
  }

  @Override
  public KeyAttributes generate(KeyObject name, int keyBytes) throws TokenException {
    return session.generate(name, keyBytes);
  }

  @Override
  public boolean destroy(KeyObject key) throws TokenException {
    if (session.destroy(key)) {
      return true;
    }
    lane.requireObjects();
    return session.destroy(key);
  }

  @Override
  public byte[] random(int count) throws TokenException {
    return session.random(count);
  }

  @Override
  public List<Found> find(Query query) throws TokenException {
    List<Found> found = session.find(query);
    if (!found.isEmpty()) {
      return found;
    }
    lane.requireObjects();
    return session.find(query);
  }

  /// Does not check that the token has the health check key: the caller only counts keys, and
  /// removes none.
  @Override
  public Count count(Set<String> labelPrefixes, int atMost) throws TokenException {
    return session.count(labelPrefixes, atMost);
  }

  /// Does nothing: the lane closes its session.
  @Override
  public void close() {}
}

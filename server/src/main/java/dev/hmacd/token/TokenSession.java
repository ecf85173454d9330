package dev.hmacd.token;

import dev.hmacd.key.KeyAttributes;
import dev.hmacd.key.KeyObject;
import dev.hmacd.key.MacAlgorithm;
import java.util.List;

/// A session with the token. One thread at a time: a session takes one operation
/// (`CKR_OPERATION_ACTIVE`). Handles are valid in the session that gave them, until it is closed.
public interface TokenSession extends AutoCloseable {
  /// Makes a handle to a key ready for use: finds the one object with this label and id, checks its
  /// attributes, and copies it to a session object where the token lets it, which is faster on
  /// most.
  ///
  /// @throws TokenException `KEY_MISSING`, `KEY_AMBIGUOUS`, `KEY_UNFIT`, or a fault
  long load(KeyObject key) throws TokenException;

  /// Gives up a handle from [#load].
  void unload(long handle) throws TokenException;

  /// Computes a MAC of the algorithm's full length: `C_SignInit` and `C_Sign`, nothing else.
  ///
  /// @param message 1 byte or more
  byte[] sign(long handle, MacAlgorithm algorithm, byte[] message) throws TokenException;

  /// Makes a resident key: CKA_TOKEN, CKA_PRIVATE, CKA_SENSITIVE, not CKA_EXTRACTABLE, CKA_SIGN,
  /// CKA_VERIFY. Its attributes are read back and must hold, else the object is destroyed.
  ///
  /// @throws TokenException `UNSUPPORTED`, `KEY_UNFIT`, or a fault
  KeyAttributes generate(KeyObject name, int keyBytes) throws TokenException;

  /// Destroys a resident key: the one token object with this label and id (`C_DestroyObject`).
  ///
  /// @return whether there was one
  /// @throws TokenException `KEY_AMBIGUOUS`, or a fault
  boolean destroy(KeyObject key) throws TokenException;

  /// Random bytes of the token's own generator (`C_GenerateRandom`).
  ///
  /// @param count 1 or more
  byte[] random(int count) throws TokenException;

  /// The secret keys on the token that fit a query, at most [#MAX_FOUND].
  List<Found> find(Query query) throws TokenException;

  /// More objects than a query should ever fit.
  int MAX_FOUND = 64;

  /// A secret key on the token.
  record Found(KeyObject object, KeyAttributes attributes) {}

  /// What to look for.
  sealed interface Query {
    record ByLabel(String label) implements Query {}

    record ById(String idHex) implements Query {}

    record ByBoth(KeyObject object) implements Query {}
  }

  /// Never throws: a session that cannot be closed is gone.
  @Override
  void close();
}

package dev.hmacd.token;

import dev.hmacd.key.KeyAttributes;
import dev.hmacd.key.KeyObject;
import dev.hmacd.key.MacAlgorithm;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/// A session with the token. For one thread at a time, because a PKCS#11 session permits only one
/// operation (`CKR_OPERATION_ACTIVE`). A handle is valid only in the session that returned it,
/// until the session is closed.
public interface TokenSession extends AutoCloseable {
  /// Finds the one object with this label and id, checks its attributes, and copies it to a session
  /// object if the token permits copies. MACs under session objects are faster on most tokens.
  ///
  /// @throws TokenException `KEY_MISSING`, `KEY_AMBIGUOUS`, `KEY_UNFIT`, or a fault
  long load(KeyObject key) throws TokenException;

  /// Finds the one token object with this label and id, and checks its attributes as [#load] does.
  /// Returns the handle of the token object, never of a copy: a MAC under a copy does not prove
  /// that the token has its objects.
  ///
  /// @throws TokenException as [#load]; the message of `KEY_MISSING` describes the other objects of
  ///   the token
  long loadTokenObject(KeyObject key) throws TokenException;

  /// Whether a handle from [#load] belongs to a session object, which no other program can replace.
  boolean isCopy(long handle);

  /// Releases a handle from [#load] or [#loadTokenObject].
  void unload(long handle) throws TokenException;

  /// Computes a MAC of the algorithm's full length (`C_SignInit` and `C_Sign`).
  ///
  /// @param message 1 byte or more
  byte[] sign(long handle, MacAlgorithm algorithm, byte[] message) throws TokenException;

  /// Finds a key with [#load], computes one MAC with [#sign], and releases the handle with
  /// [#unload].
  default byte[] signOnce(KeyObject key, MacAlgorithm algorithm, byte[] message)
      throws TokenException {
    long handle = load(key);
    try {
      return sign(handle, algorithm, message);
    } finally {
      unload(handle);
    }
  }

  /// Generates a token object for MACs only, of the configured type ([KeyTypeSetting]). CKA_TOKEN,
  /// CKA_PRIVATE, CKA_SENSITIVE, CKA_SIGN and CKA_VERIFY are true; CKA_EXTRACTABLE and all other
  /// usage attributes are false. CKA_MODIFIABLE is false, too, unless the token copies only
  /// modifiable keys. The session reads the attributes back, and destroys an object with other
  /// values.
  ///
  /// @throws TokenException `UNSUPPORTED`, `KEY_UNFIT`, or a fault
  KeyAttributes generate(KeyObject name, int keyBytes) throws TokenException;

  /// Destroys the one token object with this label and id (`C_DestroyObject`).
  ///
  /// @return false if the token has no such object
  /// @throws TokenException `KEY_AMBIGUOUS`, or a fault
  boolean destroy(KeyObject key) throws TokenException;

  /// Random bytes from the token's random number generator (`C_GenerateRandom`).
  ///
  /// @param count 1 or more
  byte[] random(int count) throws TokenException;

  /// The secret keys on the token that match a query, at most [#MAX_FOUND].
  List<Found> find(Query query) throws TokenException;

  /// Counts the secret keys on the token whose label starts with one of the prefixes. Slow: reads
  /// the label of each secret key.
  ///
  /// @param atMost maximum number of secret keys to read
  Count count(Set<String> labelPrefixes, int atMost) throws TokenException;

  /// The result of [TokenSession#count].
  ///
  /// @param keys number of counted keys
  /// @param isComplete whether all secret keys of the token were read; otherwise the token may have
  ///   more matching keys
  record Count(int keys, boolean isComplete) {
    /// Whether the token certainly has no secret key with one of the prefixes.
    public boolean isNone() {
      return keys == 0 && isComplete;
    }
  }

  /// Maximum number of results of one query.
  int MAX_FOUND = 64;

  /// A secret key on the token.
  record Found(KeyObject object, KeyAttributes attributes, KeyUse use) {
    /// The first rule that the object breaks; empty if the object may be used as a key.
    public Optional<KeyAttributes.Unfit> unfit() {
      return attributes.unfit().or(use::unfit);
    }

    /// As [#unfit()], for one MAC algorithm.
    public Optional<KeyAttributes.Unfit> unfit(MacAlgorithm algorithm) {
      return attributes.unfit().or(() -> use.unfit(algorithm));
    }

    /// The value of an attribute whose rule the token decides; empty for another attribute.
    ///
    /// @param attribute the PKCS#11 name of the attribute
    public String value(String attribute) {
      Integer keyBytes = attributes.keyBytes();
      return switch (attribute) {
        case "CKA_VALUE_LEN" -> keyBytes == null ? "unknown" : keyBytes + " bytes";
        case "CKA_KEY_TYPE" -> use.typeName();
        default -> "";
      };
    }
  }

  /// A search for keys by label, by id, or by both.
  sealed interface Query {
    record ByLabel(String label) implements Query {}

    record ById(String idHex) implements Query {}

    record ByBoth(KeyObject object) implements Query {}
  }

  /// Closes the session. Logs a failure of C_CloseSession, and never throws.
  @Override
  void close();
}

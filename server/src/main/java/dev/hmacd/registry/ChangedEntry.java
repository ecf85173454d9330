package dev.hmacd.registry;

import dev.hmacd.key.Alias;
import dev.hmacd.key.KeyId;

/// An entry of the registry that a change creates, changes or deletes. `changes` has one row for
/// it.
///
/// @param id the id of the entry within its kind and its account
record ChangedEntry(Kind kind, String id) {
  /// Kinds of entries, as in the column `changes.kind`.
  enum Kind {
    /// A key with its versions, copies and tags; `id` is the key id.
    KEY,
    /// An alias; `id` is its name.
    ALIAS,
    /// An access key; `id` is its id.
    ACCESS_KEY,
    /// The daemon's own keys on one token; `id` is the serial number of the token.
    OWN_KEYS,
    /// All entries of all kinds; `id` is empty.
    EVERYTHING
  }

  /// For a change of too many entries to name each.
  static final ChangedEntry EVERYTHING = new ChangedEntry(Kind.EVERYTHING, "");

  static ChangedEntry key(KeyId id) {
    return new ChangedEntry(Kind.KEY, id.value());
  }

  static ChangedEntry alias(Alias alias) {
    return new ChangedEntry(Kind.ALIAS, alias.name());
  }

  static ChangedEntry accessKey(String id) {
    return new ChangedEntry(Kind.ACCESS_KEY, id);
  }

  static ChangedEntry ownKeys(String tokenSerial) {
    return new ChangedEntry(Kind.OWN_KEYS, tokenSerial);
  }
}

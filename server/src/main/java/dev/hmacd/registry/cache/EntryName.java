package dev.hmacd.registry.cache;

/// The name of an entry of the registry. A change names the entries that it creates, changes or
/// deletes.
///
/// @param account the account that the entry belongs to
/// @param id the id of the entry within its kind and its account
public record EntryName(Kind kind, String account, String id) {
  /// Kinds of entries, as in the column `changes.kind`.
  public enum Kind {
    /// A key with its versions, copies, aliases and tags; `id` is the key id.
    KEY,
    /// An alias; `id` is its name.
    ALIAS,
    /// An access key; `id` is its id.
    ACCESS_KEY,
    /// The daemon's own keys on one token; `id` is the serial number of the token.
    OWN_KEYS,
    /// All entries of all kinds and accounts; `id` is empty.
    EVERYTHING
  }
}

/// The registry: key ids, aliases, tags, states and access keys, in a SQLite database. The registry
/// has no key material.
///
/// [Registry] builds all parts of the registry. The public types, with their implementations:
///
/// - [KeyReader] finds the key of a call in the cache ([dev.hmacd.registry.cache.EntryCache]).
/// - [KeyWriter] changes keys, aliases and tags. [SqliteKeyWriter] implements it, with
///   [SqliteAliases] and [SqliteTags].
/// - [KeyLists] lists keys, aliases and tags.
/// - [AccessKeyRegistry] has the access keys.
/// - [DaemonKeyRegistry] has the daemon's own keys.
///
/// [RegistryStore] runs all operations on the thread of a [RegistryQueue], which executes changes
/// that stop a key or an access key first. [RegistryFile] manages the database file and the cut of
/// the cache, and [Database] the SQLite connection. A [Change] writes its entries into the
/// [ChangeLog]. [EntryRows], [KeyRowReader] and [KeyStatements] have the SQL that several parts
/// use. [PermanentFailure] classifies failures to open the file. [RegistryHealth] logs failed
/// operations.
@NullMarked
package dev.hmacd.registry;

import org.jspecify.annotations.NullMarked;

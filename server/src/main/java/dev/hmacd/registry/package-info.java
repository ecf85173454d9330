/// The registry: key ids, aliases, tags, states and access keys, in a SQLite database. The registry
/// has no key material.
///
/// [Registry] builds all parts of the registry. The public types, with their implementations:
///
/// - [KeyReader] finds the key of a call. [KeyTable] implements it, with all keys in memory.
/// - [KeyWriter] changes keys, aliases and tags. [SqliteKeyWriter] implements it, with
///   [SqliteAliases] and [SqliteTags].
/// - [KeyLists] lists keys, aliases and tags.
/// - [AccessKeyRegistry] has the access keys. [AccessKeyTable] holds their copy in memory.
/// - [DaemonKeyRegistry] has the daemon's own keys.
///
/// [RegistryStore] runs all operations on the thread of a [RegistryQueue], which executes changes
/// that stop a key or an access key first. [RegistryFile] manages the database file, and [Database]
/// the SQLite connection. [KeyRowReader] and [KeyStatements] have the SQL that several parts use.
/// [PermanentFailure] classifies failures to open the file. [RegistryHealth] logs failed
/// operations.
@NullMarked
package dev.hmacd.registry;

import org.jspecify.annotations.NullMarked;

/// The cache of the registry: entries of the database in memory, bounded in bytes, without SQL.
///
/// [EntryCache] holds the entries, all at one [Cut]. A change drops the entries that it touched,
/// and a load publishes the present content. [EntryLoads] loads missing entries, each once for all
/// its readers. An [EntrySource] reads the database. Readers find entries in a [Partition].
@NullMarked
package dev.hmacd.registry.cache;

import org.jspecify.annotations.NullMarked;

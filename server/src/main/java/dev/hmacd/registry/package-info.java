/// The registry: key ids, aliases, tags, states and access keys, in a SQLite database. No key
/// material.
@NullMarked
package dev.hmacd.registry;

import org.jspecify.annotations.NullMarked;

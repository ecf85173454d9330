package dev.hmacd.registry;

import dev.hmacd.key.Key;
import org.jspecify.annotations.Nullable;

/// A key in state `CREATING`, with the daemon process that creates it.
///
/// @param owner id of the daemon process that creates the key; null if an older version of hmacd
///   inserted the key
/// @param attempt number of the attempt to create the key; 1 or more
public record CreatingKey(Key key, @Nullable String owner, int attempt) {}

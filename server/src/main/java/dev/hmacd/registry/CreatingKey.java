package dev.hmacd.registry;

import dev.hmacd.key.KeyEntry;
import org.jspecify.annotations.Nullable;

/// A key in state `CREATING`, with the process that makes it.
///
/// @param owner id of the daemon process that makes the key; null if a version of hmacd that does
///   not store it inserted the key
/// @param attempt number of the attempt to make the key; 1 or more
public record CreatingKey(KeyEntry key, @Nullable String owner, int attempt) {}

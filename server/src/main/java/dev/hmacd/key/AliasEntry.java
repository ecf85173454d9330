package dev.hmacd.key;

import java.time.Instant;

/// An alias with its target and times, as in the registry.
///
/// @param updated when it was last pointed at a key
public record AliasEntry(Alias alias, KeyId target, Instant created, Instant updated) {}

package dev.hmacd.key;

import java.time.Instant;

/// An alias as the registry knows it.
///
/// @param updated when it was last pointed at a key
public record AliasEntry(Alias alias, KeyId target, Instant created, Instant updated) {}

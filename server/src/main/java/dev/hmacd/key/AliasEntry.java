package dev.hmacd.key;

import java.time.Instant;

/// An alias with its target and times, as in the registry.
///
/// @param updated time of the creation or of the last change of the target
public record AliasEntry(Alias alias, KeyId target, Instant created, Instant updated) {}

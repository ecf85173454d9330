package dev.hmacd.key;

import java.time.Instant;

/// Registry entry of an alias: its target key, and the times of its creation and last change.
///
/// @param updated time of the creation or of the last change of the target
public record AliasEntry(Alias alias, KeyId target, Instant created, Instant updated) {}

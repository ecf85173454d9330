package dev.hmacd.registry.cache;

import org.jspecify.annotations.Nullable;

/// A point of the timeline of a registry: its newest change at some moment.
///
/// @param revision number of the change; 0 before the first change
/// @param nonce the nonce of the change; null before the first change that has one
public record Position(long revision, @Nullable String nonce) {
  /// The position of a registry without changes.
  public static final Position START = new Position(0, null);
}

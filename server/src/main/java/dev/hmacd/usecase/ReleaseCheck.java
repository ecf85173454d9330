package dev.hmacd.usecase;

import org.jspecify.annotations.Nullable;

/// A check at the release of an answer: whether the caller may still have it. It runs in the
/// event-loop task that hands the bytes to the transport, so it must not block.
@FunctionalInterface
public interface ReleaseCheck {
  /// For answers whose release depends on nothing.
  ReleaseCheck NONE = () -> null;

  /// The failure that replaces the answer; null if the answer may be released.
  @Nullable Failure refusal();
}

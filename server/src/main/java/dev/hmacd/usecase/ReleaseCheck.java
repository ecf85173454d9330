package dev.hmacd.usecase;

import org.jspecify.annotations.Nullable;

/// Authorization check at the release of an answer: whether the caller may still get the answer.
/// The check runs in the event-loop task that hands the bytes to the transport, so it must not
/// block.
@FunctionalInterface
public interface ReleaseCheck {
  /// A check that always succeeds.
  ReleaseCheck NONE = () -> null;

  /// The failure that replaces the answer; null if the answer may be released.
  @Nullable Failure refusal();
}

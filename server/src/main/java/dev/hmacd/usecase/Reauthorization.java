package dev.hmacd.usecase;

import org.jspecify.annotations.Nullable;

/// Repeated check of the caller's credentials and authorization, before an answer is released. The
/// check runs in the event-loop task that hands the bytes to the transport, so it must not block.
@FunctionalInterface
public interface Reauthorization {
  /// A check that always succeeds.
  Reauthorization NONE = () -> null;

  /// The failure that replaces the answer; null if the answer may be released.
  @Nullable Failure refusal();
}

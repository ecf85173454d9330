package dev.hmacd.registry;

import java.util.concurrent.CompletableFuture;

/// Waits for the answers that are being released. Thread-safe.
///
/// An event loop checks an answer and hands it to the transport in one task. After a change is in
/// the cache, and each event loop has begun another task, no answer is released that the change
/// forbids.
@FunctionalInterface
public interface ReleaseBarrier {
  /// The barrier of a process that releases no answers.
  ReleaseBarrier NONE = () -> CompletableFuture.completedFuture(null);

  /// A future that completes after all answers whose release has begun were handed to the
  /// transport.
  CompletableFuture<?> passed();
}

package dev.hmacd.http;

import java.util.concurrent.Executor;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/// Receiver of the answer to one request.
public interface Exchange {
  /// Answers the request. Must be called exactly once, unless the client disconnects before, and
  /// once more for each `release` that returns null to answer later. Any thread may call it.
  ///
  /// @param release returns the response; null if the request gets no answer, or gets it later with
  ///   another call of this method. `release` runs on the connection's event loop, in the task that
  ///   hands the response to the transport: over HTTP/1.1 after the answers to all earlier requests
  ///   of the connection. `release` does not run if the client has disconnected
  /// @param heldBytes bytes of heap that `release` holds
  void respond(Supplier<@Nullable Response> release, int heldBytes);

  /// Whether the client has disconnected.
  boolean isGone();

  /// Sets the action that runs if the client disconnects before the answer. After the action has
  /// run, the use case need not complete its reply.
  void whenGone(Runnable action);

  /// Records the authenticated principal of the request, and counts the request in the principal's
  /// quota.
  ///
  /// @return whether the principal may have one more request in flight
  boolean admit(Object principal);

  /// The event loop of the request's connection.
  Executor executor();
}

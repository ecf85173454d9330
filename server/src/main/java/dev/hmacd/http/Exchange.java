package dev.hmacd.http;

import java.util.concurrent.Executor;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/// Receiver of the answer to one request.
public interface Exchange {
  /// Answers the request, once. Called on any thread.
  ///
  /// @param release returns the response, or null if the request has no answer. The supplier runs
  ///   on the connection's event loop, in the task that hands the bytes to the transport, unless
  ///   the client has disconnected
  void respond(Supplier<@Nullable Response> release);

  /// Whether the client has disconnected.
  boolean isGone();

  /// Sets the action for a client that disconnects before the answer. After the action has run, the
  /// use case need not complete its reply.
  void whenGone(Runnable action);

  /// Reports that the application has authenticated the request as one of this principal.
  ///
  /// @return whether the principal may have one more request in flight
  boolean admit(Object principal);

  /// The event loop of the request's connection.
  Executor executor();
}

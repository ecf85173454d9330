package dev.hmacd.http;

import java.util.concurrent.Executor;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/// The client's side of a request, which gets the answer.
public interface Exchange {
  /// Answers the request, once. Called on any thread.
  ///
  /// @param release gives the response, on the event loop of the connection, in the task that hands
  ///   the bytes to the transport; null if the request has no answer. Not called if the client is
  ///   gone
  void respond(Supplier<@Nullable Response> release);

  /// Whether the client is gone.
  boolean isGone();

  /// Sets the action that runs if the client is gone before the answer. The use case need not
  /// complete its reply then.
  void whenGone(Runnable action);

  /// Reports that the application has authenticated the request as one of this principal.
  ///
  /// @return whether the principal may have one more request in flight
  boolean admit(Object principal);

  /// The event loop of the request's connection.
  Executor executor();
}

package dev.hmacd.http;

import java.util.concurrent.Executor;

/// The client's side of a request, which gets the answer.
public interface Exchange {
  /// Answers the request, once, on any thread.
  void respond(Response response);

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

package dev.hmacd.awskms;

import java.util.concurrent.Executor;

/// A request's way back.
interface Exchange {
  /// Answers the request, once, from whatever thread.
  void respond(Response response);

  /// Whether there is nobody left to answer.
  boolean isGone();

  /// Has something run when nobody is left to answer; a use case need not end then.
  void whenGone(Runnable action);

  /// Notes that the request shows who sent it.
  void authenticated();

  /// The event loop of the request's connection.
  Executor executor();
}

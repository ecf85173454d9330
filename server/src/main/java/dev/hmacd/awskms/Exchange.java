package dev.hmacd.awskms;

import java.util.concurrent.Executor;

/// A request's way back.
interface Exchange {
  /// Answers the request, once, from whatever thread.
  void respond(Response response);

  /// Whether there is nobody left to answer.
  boolean isGone();

  /// Notes that the request shows who sent it.
  void authenticated();

  /// The event loop of the request's connection.
  Executor executor();
}

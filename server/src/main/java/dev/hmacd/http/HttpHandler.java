package dev.hmacd.http;

/// The application of an [HttpServer]. The server calls the methods on event loops, so no method
/// may block.
public interface HttpHandler {
  /// Handles a complete request.
  ///
  /// @param exchange gets the response
  void handle(Request request, Exchange exchange);

  /// Returns the response to a request that the server refuses.
  Response refuse(HttpError error);
}

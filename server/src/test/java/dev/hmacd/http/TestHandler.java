package dev.hmacd.http;

import static java.nio.charset.StandardCharsets.US_ASCII;

import java.util.function.BiConsumer;

/// An application for tests. The body of an error is the error's name.
record TestHandler(BiConsumer<Request, Exchange> requests) implements HttpHandler {
  static final HttpProfile PROFILE = new HttpProfile("POST", "text/plain", "x-request-id");

  @Override
  public void handle(Request request, Exchange exchange) {
    requests.accept(request, exchange);
  }

  @Override
  public Response refuse(HttpError error) {
    return new Response(error.status(), error.name().getBytes(US_ASCII), "id");
  }
}

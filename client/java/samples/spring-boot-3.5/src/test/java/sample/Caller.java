package sample;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;

/// Calls the application over HTTP.
record Caller(int port) {
  private static final HttpClient HTTP = HttpClient.newHttpClient();

  /// The MAC of a message in hex.
  String sign(String message) {
    HttpResponse<String> response = post("/sign", message, "unused");
    if (response.statusCode() != 200) {
      throw new AssertionError("POST /sign answered " + response.statusCode());
    }
    return response.body();
  }

  /// The HTTP status of a verification.
  int verify(String message, String mac) {
    return post("/verify", message, mac).statusCode();
  }

  private HttpResponse<String> post(String path, String message, String mac) {
    var request =
        HttpRequest.newBuilder(URI.create("http://localhost:" + port + path))
            .header("Content-Type", "application/octet-stream")
            .header("X-Mac", mac)
            .POST(BodyPublishers.ofString(message))
            .build();
    try {
      return HTTP.send(request, BodyHandlers.ofString());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException(e);
    }
  }
}

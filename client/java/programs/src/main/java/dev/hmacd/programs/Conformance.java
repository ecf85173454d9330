package dev.hmacd.programs;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import dev.hmacd.client.HmacdClient;
import dev.hmacd.client.HmacdClientBuilder;
import dev.hmacd.client.HmacdException;
import dev.hmacd.client.HmacdKey;
import dev.hmacd.client.MacAlgorithm;
import dev.hmacd.client.MessageTooLongException;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.time.Duration;
import java.util.Base64;

/// The program of `client/conformance`: makes one call for each line of JSON, and prints its
/// outcome.
public final class Conformance {
  private HmacdClient client = HmacdClientBuilder.fromEnv().build();

  private Conformance() {}

  /// Answers the requests on the standard input until its end.
  public static void main(String[] arguments) throws IOException {
    new Conformance().run();
  }

  private void run() throws IOException {
    var requests = new BufferedReader(new InputStreamReader(System.in, UTF_8));
    var outcomes = new PrintStream(System.out, /* autoFlush= */ true, UTF_8);
    for (String line = requests.readLine(); line != null; line = requests.readLine()) {
      outcomes.println(outcome(JsonParser.parseString(line).getAsJsonObject()));
    }
    client.close();
  }

  private JsonObject outcome(JsonObject request) {
    try {
      return switch (request.get("operation").getAsString()) {
        case "open" -> {
          client.close();
          client = HmacdClientBuilder.fromEnv().build();
          yield of("done");
        }
        case "close" -> {
          client.close();
          yield of("done");
        }
        case "doctor" -> lines();
        case "open_key" -> key(limited(request).openKey(request.get("key").getAsString()));
        case "generate" -> mac(request);
        default -> verification(request);
      };
    } catch (RuntimeException e) { // Each error is an outcome.
      return failure(e);
    }
  }

  private JsonObject lines() {
    var lines = new JsonArray();
    client.doctor().forEach(lines::add);
    JsonObject outcome = of("lines");
    outcome.add("lines", lines);
    return outcome;
  }

  private static JsonObject key(HmacdKey key) {
    JsonObject outcome = of("key");
    outcome.addProperty("algorithm", key.algorithm().name());
    outcome.addProperty("arn", key.arn());
    return outcome;
  }

  private JsonObject mac(JsonObject request) {
    byte[] mac = keyOf(request).generate(bytes(request, "message")).toByteArray();
    JsonObject outcome = of("mac");
    outcome.addProperty("mac", Base64.getEncoder().encodeToString(mac));
    return outcome;
  }

  private JsonObject verification(JsonObject request) {
    keyOf(request).verify(bytes(request, "message"), bytes(request, "mac"));
    return of("right");
  }

  private HmacdKey keyOf(JsonObject request) {
    var algorithm = MacAlgorithm.valueOf(request.get("algorithm").getAsString());
    return limited(request).key(request.get("key").getAsString(), algorithm);
  }

  /// The client, with the timeout of the request if it has one.
  private HmacdClient limited(JsonObject request) {
    return request.has("timeout_ms")
        ? client.withDeadlineAfter(Duration.ofMillis(request.get("timeout_ms").getAsLong()))
        : client;
  }

  private static byte[] bytes(JsonObject request, String name) {
    return Base64.getDecoder().decode(request.get(name).getAsString());
  }

  private static JsonObject failure(RuntimeException failure) {
    String type = failure.getClass().getSimpleName().replace("Exception", "");
    JsonObject outcome = of("error");
    outcome.addProperty("type", type);
    outcome.addProperty("text", failure.getMessage());
    if (failure instanceof HmacdException known) {
      outcome.addProperty("reason", known.reason().name());
      outcome.addProperty("retryable", known.retryable());
      outcome.addProperty("may_have_run", known.mayHaveRun());
      outcome.addProperty("target", known.target());
      outcome.addProperty("attempts", known.attempts());
      outcome.addProperty("request_id", known.requestId());
    }
    if (failure instanceof MessageTooLongException tooLong) {
      outcome.addProperty("limit", tooLong.limit());
      outcome.addProperty("size", tooLong.size());
    }
    return outcome;
  }

  private static JsonObject of(String outcome) {
    var found = new JsonObject();
    found.addProperty("outcome", outcome);
    return found;
  }
}

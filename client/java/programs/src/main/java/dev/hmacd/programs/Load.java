package dev.hmacd.programs;

import static dev.hmacd.client.MacAlgorithm.HMAC_SHA_256;
import static java.nio.charset.StandardCharsets.US_ASCII;
import static java.util.concurrent.TimeUnit.MILLISECONDS;
import static java.util.concurrent.TimeUnit.NANOSECONDS;

import dev.hmacd.client.HmacdClient;
import dev.hmacd.client.HmacdClientBuilder;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/// The caller of `client/events`: makes calls at a fixed rate, and prints their outcomes as JSON.
/// `client/events/README.md` has the variables of the environment.
public final class Load {
  private static final byte[] MESSAGE = "events".getBytes(US_ASCII);

  private final int rate;
  private final double seconds;
  private final Duration timeout;
  private final @Nullable String closeAfter;
  private final int warmUp;

  private Load(Map<String, String> environment) {
    rate = Integer.parseInt(required(environment, "HMACD_LOAD_RATE"));
    seconds = Double.parseDouble(required(environment, "HMACD_LOAD_SECONDS"));
    timeout =
        Duration.ofMillis(
            Long.parseLong(environment.getOrDefault("HMACD_LOAD_TIMEOUT_MS", "5000")));
    closeAfter = environment.get("HMACD_LOAD_CLOSE_AFTER");
    warmUp = Integer.parseInt(environment.getOrDefault("HMACD_LOAD_WARM_UP", "1"));
  }

  /// Runs the load under the key whose name is the only argument.
  public static void main(String[] arguments) throws InterruptedException, IOException {
    if (arguments.length != 1) {
      System.err.println("usage: Load KEY");
      System.exit(2);
    }
    new Load(System.getenv()).run(arguments[0]);
  }

  private static String required(Map<String, String> environment, String name) {
    String value = environment.get(name);
    if (value == null) {
      throw new IllegalArgumentException(name + " is not set");
    }
    return value;
  }

  private void run(String key) throws InterruptedException, IOException {
    try (HmacdClient client = HmacdClientBuilder.fromEnv().build()) {
      // The first call may be slower than the timeout of the load: it connects.
      byte[] right = client.generateMac(key, MESSAGE, HMAC_SHA_256).toByteArray();
      for (int i = 1; i < warmUp; i++) {
        right = client.generateMac(key, MESSAGE, HMAC_SHA_256).toByteArray();
      }
      System.out.println("ready");
      System.in.read(); // The start of the load.
      List<Outcome> outcomes = calls(client.withDeadlineAfter(timeout), key, right);
      System.out.println(Outcome.json(outcomes));
    }
  }

  /// Starts all calls at their planned times, and waits for their outcomes.
  private List<Outcome> calls(HmacdClient client, String key, byte[] right)
      throws InterruptedException {
    List<CompletableFuture<Outcome>> calls = new ArrayList<>();
    if (closeAfter != null) {
      long millis = Math.round(Double.parseDouble(closeAfter) * 1000);
      var unused =
          CompletableFuture.runAsync(
              client::close, CompletableFuture.delayedExecutor(millis, MILLISECONDS));
    }
    long start = System.nanoTime();
    for (int i = 0; i < rate * seconds; i++) {
      long planned = start + i * Duration.ofSeconds(1).toNanos() / rate;
      NANOSECONDS.sleep(planned - System.nanoTime());
      calls.add(
          client
              .generateMacAsync(key, MESSAGE, HMAC_SHA_256)
              .handle((mac, failure) -> Outcome.of(mac, failure, right, planned)));
    }
    return calls.stream().map(CompletableFuture::join).toList();
  }
}

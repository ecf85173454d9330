package dev.hmacd.programs;

import static java.util.stream.Collectors.counting;
import static java.util.stream.Collectors.groupingBy;
import static java.util.stream.Collectors.joining;

import dev.hmacd.client.HmacdException;
import dev.hmacd.client.Mac;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/// The outcome of one call of [Load].
///
/// @param name [#RIGHT], [#WRONG], or the reason of the error
/// @param millis the time from the planned start of the call to its outcome
record Outcome(String name, double millis) {
  static final String RIGHT = "right";
  static final String WRONG = "wrong";

  /// The outcome of a call that has ended now.
  ///
  /// @param mac null after a failure
  /// @param right the right MAC
  /// @param planned start of the call, of [System#nanoTime]
  static Outcome of(@Nullable Mac mac, @Nullable Throwable failure, byte[] right, long planned) {
    String name;
    if (mac != null) {
      name = Arrays.equals(mac.toByteArray(), right) ? RIGHT : WRONG;
    } else if (failure instanceof HmacdException known) {
      name = known.reason().name();
    } else {
      name = String.valueOf(failure);
    }
    return new Outcome(name, (System.nanoTime() - planned) / 1e6);
  }

  /// The counts and the latencies of at least one outcome, in one line.
  static String json(List<Outcome> outcomes) {
    Map<String, Long> counts =
        outcomes.stream().collect(groupingBy(Outcome::name, TreeMap::new, counting()));
    Long right = counts.remove(RIGHT);
    Long wrong = counts.remove(WRONG);
    double[] times = outcomes.stream().mapToDouble(Outcome::millis).sorted().toArray();
    String errors =
        counts.entrySet().stream()
            .map(error -> "\"" + error.getKey() + "\":" + error.getValue())
            .collect(joining(","));
    return String.format(
        Locale.ROOT,
        "{\"calls\":%d,\"right\":%d,\"wrong\":%d,\"errors\":{%s},"
            + "\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"max_ms\":%.3f}",
        outcomes.size(),
        right == null ? 0 : right,
        wrong == null ? 0 : wrong,
        errors,
        quantile(times, 0.5),
        quantile(times, 0.99),
        quantile(times, 1));
  }

  private static double quantile(double[] sorted, double q) {
    return sorted[(int) (q * (sorted.length - 1))];
  }
}

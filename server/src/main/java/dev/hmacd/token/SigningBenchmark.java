package dev.hmacd.token;

import dev.hmacd.key.KeyObject;
import dev.hmacd.token.TokenException.Fault;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;

/// Benchmark of a token: MACs per second with one, two, four sessions and so on, until more
/// sessions increase the rate by less than 10 %. Each session has a thread of its own, like a lane.
public final class SigningBenchmark {
  private static final int MESSAGE_BYTES = 64;
  private static final int MOST_SESSIONS = 64;
  private static final double WORTH_DOUBLING = 1.1;
  private static final double NEARLY_BEST = 0.9;
  private static final Duration LONGEST_CALL = Duration.ofSeconds(30);
  private static final int MAX_ATTEMPTS = 3;

  /// A measured rate.
  ///
  /// @param sessions number of sessions that compute MACs at the same time
  public record Measurement(int sessions, long macsPerSecond) {}

  /// The measured rates, in order of the number of sessions.
  public record Rates(List<Measurement> measurements) {
    public long best() {
      return measurements.stream().mapToLong(Measurement::macsPerSecond).max().orElse(0);
    }

    /// The smallest number of sessions with at least 90 % of the best rate.
    public int sessions() {
      return measurements.stream()
          .filter(measurement -> measurement.macsPerSecond() >= NEARLY_BEST * best())
          .findFirst()
          .map(Measurement::sessions)
          .orElse(1);
    }
  }

  private final Token token;
  private final KeyObject key;
  private final Duration each;

  private SigningBenchmark(Token token, KeyObject key, Duration each) {
    this.token = token;
    this.key = key;
    this.each = each;
  }

  /// Runs the benchmark. Takes `each` for every number of sessions, and once more for the warm-up.
  /// Repeats the benchmark in new sessions if the token invalidates handles, as a lane does.
  ///
  /// @param key a key on the token
  /// @param maxSessions maximum number of sessions to open
  /// @param each duration of each measurement
  public static Rates run(Token token, KeyObject key, long maxSessions, Duration each)
      throws TokenException, InterruptedException {
    var benchmark = new SigningBenchmark(token, key, each);
    for (int attempt = 1; ; attempt++) {
      try {
        return benchmark.run(Math.min(maxSessions, MOST_SESSIONS));
      } catch (TokenException e) {
        boolean invalidated = e.fault() == Fault.STALE || e.fault() == Fault.OBJECT;
        if (!invalidated || attempt == MAX_ATTEMPTS) {
          throw e;
        }
      }
    }
  }

  private Rates run(long maxSessions) throws TokenException, InterruptedException {
    List<TokenSession> open = new ArrayList<>();
    ExecutorService threads =
        Executors.newCachedThreadPool(Thread.ofPlatform().daemon().name("hmacd-trial").factory());
    try {
      List<Measurement> measurements = new ArrayList<>();
      long best = 0;
      for (int sessions = 1; sessions <= maxSessions; sessions *= 2) {
        while (open.size() < sessions) {
          open.add(token.open());
        }
        if (measurements.isEmpty()) {
          // Warm-up: the JIT compiles the code, and the module fills its caches.
          measure(threads, open);
        }
        long rate = measure(threads, open);
        measurements.add(new Measurement(sessions, rate));
        if (rate < WORTH_DOUBLING * best) {
          break;
        }
        best = rate;
      }
      return new Rates(List.copyOf(measurements));
    } finally {
      threads.shutdownNow();
      open.forEach(TokenSession::close);
    }
  }

  /// MACs per second of all sessions together. After a failure, the sessions are to be closed.
  private long measure(ExecutorService threads, List<TokenSession> sessions)
      throws TokenException, InterruptedException {
    List<Callable<Long>> loads = new ArrayList<>();
    for (TokenSession session : sessions) {
      loads.add(() -> session.load(key));
    }
    List<Long> handles = all(threads, loads);
    CyclicBarrier start = new CyclicBarrier(sessions.size());
    List<Callable<Double>> works = new ArrayList<>();
    for (int i = 0; i < sessions.size(); i++) {
      TokenSession session = sessions.get(i);
      long handle = handles.get(i);
      works.add(() -> rate(session, handle, start));
    }
    return Math.round(all(threads, works).stream().mapToDouble(Double::doubleValue).sum());
  }

  /// The results of all works, each in a thread of its own.
  private <T> List<T> all(ExecutorService threads, List<Callable<T>> works)
      throws TokenException, InterruptedException {
    Duration limit = each.plus(LONGEST_CALL);
    List<T> results = new ArrayList<>();
    for (Future<T> work : threads.invokeAll(works, limit.toMillis(), TimeUnit.MILLISECONDS)) {
      if (work.isCancelled()) {
        throw TokenException.fault(Fault.DEVICE, "the token did not answer within " + limit);
      }
      try {
        results.add(work.get());
      } catch (ExecutionException e) {
        if (e.getCause() instanceof TokenException failure) {
          throw failure;
        }
        throw new IllegalStateException(e);
      }
    }
    return results;
  }

  private double rate(TokenSession session, long handle, CyclicBarrier all) throws Exception {
    byte[] message = new byte[MESSAGE_BYTES];
    all.await(LONGEST_CALL.toSeconds(), TimeUnit.SECONDS);
    long start = System.nanoTime();
    long end = start + each.toNanos();
    long count = 0;
    long now;
    do {
      byte[] mac = session.sign(handle, HealthCheck.ALGORITHM, message);
      message[0] = mac[0];
      count++;
      now = System.nanoTime();
    } while (now < end);
    session.unload(handle);
    return count * 1e9 / (now - start);
  }
}

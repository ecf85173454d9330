package dev.hmacd.programs;

import static dev.hmacd.client.MacAlgorithm.HMAC_SHA_256;
import static java.util.concurrent.TimeUnit.SECONDS;

import com.google.protobuf.ByteString;
import com.sun.management.OperatingSystemMXBean;
import dev.hmacd.client.HmacdClient;
import dev.hmacd.client.HmacdClientBuilder;
import dev.hmacd.v1.GenerateMacRequest;
import dev.hmacd.v1.MacAlgorithm;
import dev.hmacd.v1.MacServiceGrpc;
import io.grpc.Grpc;
import io.grpc.ManagedChannel;
import io.grpc.TlsChannelCredentials;
import java.io.File;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/// The caller of `scripts/bench-clients`: the cost of a call of the package, or of the stub alone.
/// The script has the meaning of the arguments, of the environment and of the output.
public final class Cost {
  private static final byte[] MESSAGE = new byte[32];
  private static final int TIMEOUT_SECONDS = 5;

  private final int warmUp;
  private final int calls;
  private final int concurrency;

  private Cost(int warmUp, int calls, int concurrency) {
    this.warmUp = warmUp;
    this.calls = calls;
    this.concurrency = concurrency;
  }

  /// Makes one call, and returns the MAC. Thread-safe.
  private interface Caller {
    byte[] call();
  }

  /// Runs the closed loops.
  public static void main(String[] arguments)
      throws ExecutionException, InterruptedException, IOException {
    if (arguments.length != 5) {
      System.err.println("usage: Cost stub|package KEY WARM_UP CALLS CONCURRENCY");
      System.exit(2);
    }
    int[] numbers = Arrays.stream(arguments).skip(2).mapToInt(Integer::parseInt).toArray();
    var cost = new Cost(numbers[0], numbers[1], numbers[2]);
    switch (arguments[0]) {
      case "stub" -> cost.measureStub(arguments[1]);
      case "package" -> cost.measurePackage(arguments[1]);
      default -> throw new IllegalArgumentException("the first argument is stub or package");
    }
  }

  private void measureStub(String key)
      throws ExecutionException, InterruptedException, IOException {
    var credentials =
        TlsChannelCredentials.newBuilder()
            .trustManager(file("HMACD_CA"))
            .keyManager(file("HMACD_CERT"), file("HMACD_KEY"))
            .build();
    ManagedChannel channel = Grpc.newChannelBuilder(variable("HMACD_TARGET"), credentials).build();
    try {
      var stub = MacServiceGrpc.newBlockingStub(channel);
      measure(
          () ->
              stub.withDeadlineAfter(TIMEOUT_SECONDS, SECONDS)
                  .generateMac(
                      GenerateMacRequest.newBuilder()
                          .setKeyId(key)
                          .setMessage(ByteString.copyFrom(MESSAGE))
                          .setMacAlgorithm(MacAlgorithm.MAC_ALGORITHM_HMAC_SHA_256)
                          .build())
                  .getMac()
                  .toByteArray());
    } finally {
      channel.shutdownNow();
    }
  }

  private void measurePackage(String key) throws ExecutionException, InterruptedException {
    var builder = HmacdClientBuilder.fromEnv().deadlineAfter(Duration.ofSeconds(TIMEOUT_SECONDS));
    try (HmacdClient client = builder.build()) {
      measure(() -> client.generateMac(key, MESSAGE, HMAC_SHA_256).toByteArray());
    }
  }

  private void measure(Caller caller) throws ExecutionException, InterruptedException {
    byte[] right = caller.call();
    System.out.println("ready");
    ExecutorService threads = Executors.newFixedThreadPool(concurrency);
    try {
      loops(threads, caller, right, warmUp);
      long start = System.nanoTime();
      long cpu = processorNanos();
      int made = loops(threads, caller, right, calls);
      double seconds = (System.nanoTime() - start) / 1e9;
      double cpuSeconds = (processorNanos() - cpu) / 1e9;
      System.out.printf(
          Locale.ROOT,
          "{\"calls\":%d,\"seconds\":%f,\"cpu_seconds\":%f}%n",
          made,
          seconds,
          cpuSeconds);
    } finally {
      threads.shutdownNow();
    }
  }

  /// Makes calls in closed loops. Returns their number.
  private int loops(ExecutorService threads, Caller caller, byte[] right, int calls)
      throws ExecutionException, InterruptedException {
    int each = (calls + concurrency - 1) / concurrency;
    List<Future<?>> ends = new ArrayList<>();
    for (int i = 0; i < concurrency; i++) {
      ends.add(threads.submit(() -> loop(caller, right, each)));
    }
    for (Future<?> end : ends) {
      end.get();
    }
    return each * concurrency;
  }

  private static void loop(Caller caller, byte[] right, int calls) {
    for (int i = 0; i < calls; i++) {
      if (!Arrays.equals(caller.call(), right)) {
        throw new IllegalStateException("a wrong MAC");
      }
    }
  }

  private static long processorNanos() {
    var system = ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class);
    return system.getProcessCpuTime();
  }

  private static File file(String name) {
    return new File(variable(name));
  }

  private static String variable(String name) {
    String value = System.getenv(name);
    if (value == null) {
      throw new IllegalArgumentException(name + " is not set");
    }
    return value;
  }
}

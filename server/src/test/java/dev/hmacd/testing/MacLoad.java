package dev.hmacd.testing;

import com.google.protobuf.ByteString;
import dev.hmacd.v1.GenerateMacRequest;
import dev.hmacd.v1.KeySpec;
import dev.hmacd.v1.MacAlgorithm;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.LongAdder;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Stream;

/// Callers that continuously generate MACs with known values, and count the results.
public final class MacLoad implements AutoCloseable {
  private static final MacAlgorithm SHA_256 = MacAlgorithm.MAC_ALGORITHM_HMAC_SHA_256;

  /// A request and its correct MAC.
  private record Question(GenerateMacRequest request, ByteString mac) {}

  private final Caller caller;
  private final Duration deadline;
  private final List<Question> knownMacs = new ArrayList<>();
  private final List<Thread> threads = new ArrayList<>();
  private final LongAdder right = new LongAdder();
  private final LongAdder wrong = new LongAdder();
  private final Map<Status.Code, LongAdder> failures = new ConcurrentHashMap<>();
  private volatile boolean ended;

  /// @param keys number of keys, which are used in turn
  /// @param deadline of each call
  public MacLoad(Caller caller, int keys, Duration deadline) {
    this(
        caller,
        Stream.generate(() -> caller.createKey(KeySpec.KEY_SPEC_HMAC_256)).limit(keys).toList(),
        deadline);
  }

  /// @param keyIds keys of spec HMAC_256, which are used in turn
  public MacLoad(Caller caller, List<String> keyIds, Duration deadline) {
    this.caller = caller;
    this.deadline = deadline;
    for (int i = 0; i < keyIds.size(); i++) {
      var request =
          GenerateMacRequest.newBuilder()
              .setKeyId(keyIds.get(i))
              .setMessage(ByteString.copyFromUtf8("message " + i))
              .setMacAlgorithm(SHA_256)
              .build();
      knownMacs.add(new Question(request, caller.macs().generateMac(request).getMac()));
    }
  }

  /// Starts callers; each has one call in flight at a time.
  public MacLoad start(int callers) {
    for (int i = 0; i < callers; i++) {
      int first = i;
      threads.add(Thread.ofPlatform().name("load-" + i).start(() -> run(first)));
    }
    return this;
  }

  private void run(int first) {
    for (int i = first; !ended; i++) {
      Question known = knownMacs.get(i % knownMacs.size());
      try {
        ByteString mac =
            caller
                .macs()
                .withDeadlineAfter(deadline.toMillis(), TimeUnit.MILLISECONDS)
                .generateMac(known.request())
                .getMac();
        (mac.equals(known.mac()) ? right : wrong).increment();
      } catch (StatusRuntimeException e) {
        failures.computeIfAbsent(e.getStatus().getCode(), _ -> new LongAdder()).increment();
        // A client backs off after a failure.
        LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(1));
      }
    }
  }

  public long right() {
    return right.sum();
  }

  public long wrong() {
    return wrong.sum();
  }

  /// The number of failed calls, by status.
  public Map<Status.Code, Long> failures() {
    Map<Status.Code, Long> all = new EnumMap<>(Status.Code.class);
    failures.forEach((code, count) -> all.put(code, count.sum()));
    return all;
  }

  public long failed() {
    return failures().values().stream().mapToLong(Long::longValue).sum();
  }

  /// Waits until this many consecutive calls are answered without a failure.
  public void awaitSuccess(int calls) {
    Eventually.holds(
        "calls are answered",
        () -> {
          long failedBefore = failed();
          long goal = right() + calls;
          Eventually.holds(
              "calls are answered or fail", () -> right() >= goal || failed() > failedBefore);
          return failed() == failedBefore;
        });
  }

  @Override
  public void close() {
    ended = true;
    for (Thread thread : threads) {
      try {
        thread.join();
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
    }
  }
}

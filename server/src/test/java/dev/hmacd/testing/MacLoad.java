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

/// Callers who ask for MACs of known values without a pause, and note what they get.
public final class MacLoad implements AutoCloseable {
  private static final MacAlgorithm SHA_256 = MacAlgorithm.MAC_ALGORITHM_HMAC_SHA_256;

  /// A request, and its right answer.
  private record Question(GenerateMacRequest request, ByteString mac) {}

  private final Caller caller;
  private final Duration deadline;
  private final List<Question> questions = new ArrayList<>();
  private final List<Thread> threads = new ArrayList<>();
  private final LongAdder right = new LongAdder();
  private final LongAdder wrong = new LongAdder();
  private final Map<Status.Code, LongAdder> failures = new ConcurrentHashMap<>();
  private volatile boolean ended;

  /// @param keys how many are made, and used in turn
  /// @param deadline of each call
  public MacLoad(Caller caller, int keys, Duration deadline) {
    this(
        caller,
        Stream.generate(() -> caller.createKey(KeySpec.KEY_SPEC_HMAC_256)).limit(keys).toList(),
        deadline);
  }

  /// @param keyIds used in turn; of spec HMAC_256
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
      questions.add(new Question(request, caller.macs().generateMac(request).getMac()));
    }
  }

  /// Starts callers; each has one call under way at any time.
  public MacLoad start(int callers) {
    for (int i = 0; i < callers; i++) {
      int first = i;
      threads.add(Thread.ofPlatform().name("load-" + i).start(() -> run(first)));
    }
    return this;
  }

  private void run(int first) {
    for (int i = first; !ended; i++) {
      Question question = questions.get(i % questions.size());
      try {
        ByteString mac =
            caller
                .macs()
                .withDeadlineAfter(deadline.toMillis(), TimeUnit.MILLISECONDS)
                .generateMac(question.request())
                .getMac();
        (mac.equals(question.mac()) ? right : wrong).increment();
      } catch (StatusRuntimeException e) {
        failures.computeIfAbsent(e.getStatus().getCode(), _ -> new LongAdder()).increment();
        // As a client does: not at once again.
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

  /// How many calls failed, by status.
  public Map<Status.Code, Long> failures() {
    Map<Status.Code, Long> all = new EnumMap<>(Status.Code.class);
    failures.forEach((code, count) -> all.put(code, count.sum()));
    return all;
  }

  public long failed() {
    return failures().values().stream().mapToLong(Long::longValue).sum();
  }

  /// Waits until calls are answered, and none fails for as many as these.
  public void awaitCalm(int calls) {
    Eventually.holds(
        "calls are answered",
        () -> {
          long failedBefore = failed();
          long goal = right() + calls;
          Eventually.holds("calls end", () -> right() >= goal || failed() > failedBefore);
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

package dev.hmacd.command;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.hmacd.testing.Caller;
import dev.hmacd.testing.DaemonProcess;
import dev.hmacd.testing.Eventually;
import dev.hmacd.testing.LoopbackDaemon;
import dev.hmacd.testing.SoftHsm;
import dev.hmacd.testing.TestCa;
import dev.hmacd.v1.KeySpec;
import io.grpc.Status.Code;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import java.net.ConnectException;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// SIGTERM under load: a stop that operators can do at noon.
@Tag("slow")
final class DrainTest {
  private static final String LABEL = "orders";

  private final TestCa ca = new TestCa("test CA");
  private final byte[] key = new byte[32];

  @TempDir Path folder;

  DrainTest() {
    new SecureRandom().nextBytes(key);
  }

  /// A daemon whose `alias/orders` is the key.
  private DaemonProcess daemon(String name) throws Exception {
    SoftHsm hsm = SoftHsm.create(folder.resolve(name).resolve("softhsm2.conf"));
    hsm.importKey(LABEL, "01", key);
    // Longer than the test waits: a stop that does not end with the calls is seen.
    LoopbackDaemon files = LoopbackDaemon.on(hsm).allowingAll("admin").ca(ca).limit("drain: 10m");
    DaemonProcess daemon = DaemonProcess.start(files, hsm, Map.of());
    try (Caller admin = daemon.as("admin")) {
      String id = admin.adopt(LABEL, KeySpec.KEY_SPEC_HMAC_256).getKeyId();
      admin.createAlias("alias/orders", id);
    }
    return daemon;
  }

  /// Somebody who asks for one MAC after the other until told to stop.
  private static final class Load {
    private final AtomicInteger right = new AtomicInteger();
    private final Queue<StatusRuntimeException> failures = new ConcurrentLinkedQueue<>();
    private final List<Thread> threads = new ArrayList<>();
    private final AtomicBoolean over = new AtomicBoolean();
    private volatile int wrong;

    /// @param callers one for each connection
    Load(List<Caller> callers, byte[] expected) {
      for (Caller caller : callers) {
        threads.add(Thread.ofPlatform().start(() -> call(caller, expected)));
      }
    }

    private void call(Caller caller, byte[] expected) {
      while (!over.get()) {
        try {
          if (Arrays.equals(caller.generateMac("alias/orders", "hello"), expected)) {
            right.incrementAndGet();
          } else {
            wrong = 1;
          }
        } catch (StatusRuntimeException e) {
          failures.add(e);
        }
      }
    }

    void end() throws InterruptedException {
      over.set(true);
      for (Thread thread : threads) {
        assertThat(thread.join(Eventually.LIMIT)).isTrue();
      }
    }
  }

  @Test
  void stopUnderLoadLosesNoCall() throws Exception {
    Mac mac = Mac.getInstance("HmacSHA256");
    mac.init(new SecretKeySpec(key, "HmacSHA256"));
    byte[] expected = mac.doFinal("hello".getBytes(UTF_8));
    var certificate = ca.client("admin");
    try (DaemonProcess stopped = daemon("a");
        DaemonProcess other = daemon("b")) {
      List<Caller> free = new ArrayList<>();
      List<Caller> bound = new ArrayList<>();
      for (int i = 0; i < 4; i++) {
        free.add(Caller.roundRobin(ca, certificate, stopped.port(), other.port()));
        bound.add(stopped.as("admin"));
      }
      Load elsewhere = new Load(free, expected);
      Load nowhere = new Load(bound, expected);
      Eventually.holds(
          "all are served", () -> elsewhere.right.get() > 2000 && nowhere.right.get() > 1000);

      long start = System.nanoTime();
      int code = stopped.stop();
      Duration took = Duration.ofNanos(System.nanoTime() - start);
      int before = elsewhere.right.get();
      Eventually.holds("the other daemon serves on", () -> elsewhere.right.get() > before + 1000);
      Eventually.holds("the others are refused", () -> !nowhere.failures.isEmpty());
      elsewhere.end();
      nowhere.end();
      free.forEach(Caller::close);

      System.out.printf(
          "stop under load: %d ms; %d MACs to callers who could go elsewhere, %d to those who could"
              + " not, of whom %d calls were refused before they were taken%n",
          took.toMillis(), elsewhere.right.get(), nowhere.right.get(), nowhere.failures.size());
      assertThat(code).isZero();
      assertThat(took).isLessThan(Eventually.LIMIT);
      assertThat(elsewhere.failures).isEmpty();
      assertThat(elsewhere.wrong + nowhere.wrong).isZero();
      assertThat(nowhere.failures)
          .isNotEmpty()
          .allSatisfy(
              failure -> {
                assertThat(failure.getStatus().getCode()).isEqualTo(Code.UNAVAILABLE);
                // Of the client's own: the daemon has not taken the call.
                assertThat(StatusProto.fromThrowable(failure))
                    .satisfies(status -> assertThat(status.getDetailsList()).isEmpty());
                assertThat(failure.getStatus().getCause()).isInstanceOf(ConnectException.class);
              });
    }
  }
}

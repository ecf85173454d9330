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

/// A stop with SIGTERM under load loses no call.
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
    // Longer than the timeout of the test: the stop must end with the last call.
    LoopbackDaemon files = LoopbackDaemon.on(hsm).allowingAll("admin").ca(ca).limit("drain: 10m");
    DaemonProcess daemon = DaemonProcess.start(files, hsm, Map.of());
    try (Caller admin = daemon.as("admin")) {
      String id = admin.adopt(LABEL, KeySpec.KEY_SPEC_HMAC_256).getKeyId();
      admin.createAlias("alias/orders", id);
    }
    return daemon;
  }

  /// Callers that generate MACs one after the other until the end of the test.
  private static final class Load {
    private final AtomicInteger right = new AtomicInteger();
    private final Queue<StatusRuntimeException> failures = new ConcurrentLinkedQueue<>();
    private final List<Thread> threads = new ArrayList<>();
    private final AtomicBoolean over = new AtomicBoolean();
    private volatile int wrong;

    /// @param callers one caller for each connection
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
      Load balanced = new Load(free, expected);
      Load single = new Load(bound, expected);
      Eventually.holds(
          "all callers are served", () -> balanced.right.get() > 2000 && single.right.get() > 1000);

      long start = System.nanoTime();
      int code = stopped.stop();
      Duration took = Duration.ofNanos(System.nanoTime() - start);
      int before = balanced.right.get();
      Eventually.holds(
          "the other daemon serves the calls", () -> balanced.right.get() > before + 1000);
      Eventually.holds(
          "callers of the stopped daemon are refused", () -> !single.failures.isEmpty());
      balanced.end();
      single.end();
      free.forEach(Caller::close);

      System.out.printf(
          "stop under load: %d ms; %d MACs to callers of both daemons, %d to callers of the stopped"
              + " daemon, of which %d calls were refused before they were accepted%n",
          took.toMillis(), balanced.right.get(), single.right.get(), single.failures.size());
      assertThat(code).isZero();
      assertThat(took).isLessThan(Eventually.LIMIT);
      assertThat(balanced.failures).isEmpty();
      assertThat(balanced.wrong + single.wrong).isZero();
      assertThat(single.failures)
          .isNotEmpty()
          .allSatisfy(
              failure -> {
                assertThat(failure.getStatus().getCode()).isEqualTo(Code.UNAVAILABLE);
                // A status of the client: the daemon has not accepted the call.
                assertThat(StatusProto.fromThrowable(failure))
                    .satisfies(status -> assertThat(status.getDetailsList()).isEmpty());
                assertThat(failure.getStatus().getCause()).isInstanceOf(ConnectException.class);
              });
    }
  }
}

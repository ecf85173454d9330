package dev.hmacd.client;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.grpc.Status.Code;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.InstantSource;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// A read of the PEM files that does not end, as on a file system without its server. A FIFO blocks
/// the second read.
@Timeout(240)
class StuckFilesTest {
  private static final byte[] MESSAGE = "hello".getBytes(UTF_8);
  private static final TestPki CLIENT = TestPki.client();
  private static final Duration LONG = Duration.ofMinutes(2);

  private final Fifo fifo;
  private final AtomicInteger reads = new AtomicInteger();
  private final CountDownLatch stuck = new CountDownLatch(1);
  private final FakeDaemon daemon = FakeDaemon.overTls(TestPki.daemon("localhost"));
  private final TlsFiles files = TlsFiles.open(this::read, InstantSource.system(), LONG);
  private final HmacdClient client;

  StuckFilesTest(@TempDir Path folder) {
    fifo = Fifo.create(folder.resolve("fifo"));
    var connections = new Connections(List.of(Target.parse(daemon.target())), files);
    connections.start(Duration.ofHours(1));
    var policy = new RetryPolicy(new TargetPicker(1, () -> 0), new RetryBudget(), LONG, () -> 0);
    client =
        new HmacdClient(
            new Calls(connections, policy, LONG, CallObserver.NONE), List.of(), MESSAGE.length);
  }

  @AfterEach
  void close() {
    client.close();
    daemon.close();
  }

  private PemSet read() throws IOException {
    if (reads.incrementAndGet() == 2) {
      stuck.countDown();
      Files.readAllBytes(fifo.path());
    }
    return PemSet.read(CLIENT.ca(), CLIENT.cert(), CLIENT.key());
  }

  private static void call(HmacdClient client) {
    client.generateMac(FakeDaemon.KEY_ID, MESSAGE, MacAlgorithm.HMAC_SHA_256);
  }

  @Test
  void callsWaitForAReadUntilTheirDeadlinesAndStartNoSecondRead() throws Exception {
    call(client); // Connects.
    files.readNow(() -> {});
    stuck.await();
    for (int i = 0; i < 2; i++) {
      daemon.failing(1, Code.UNAUTHENTICATED, "UNAUTHENTICATED");
      HmacdClient hasty = client.withDeadlineAfter(Duration.ofSeconds(5));
      var failure = catchThrowableOfType(HmacdException.class, () -> call(hasty));
      assertThat(failure.reason()).isIn(ErrorReason.UNAUTHENTICATED, ErrorReason.DEADLINE_EXCEEDED);
    }
    assertThat(files.check(Duration.ofMillis(50)))
        .isEqualTo("the PEM files were not read in 50 ms; check their file system");
    assertThat(client.withDeadlineAfter(Duration.ofMillis(50)).doctor().get(0))
        .contains(", files: the PEM files were not read in ");
    assertThat(reads).hasValue(2);
    call(client); // The set in use is good.

    fifo.release();
    daemon.failing(1, Code.UNAUTHENTICATED, "UNAUTHENTICATED");
    call(client);
    assertThat(reads).hasValueBetween(3, 4); // The queued read of the calls above has no task.
    assertThat(client.doctor().get(0)).startsWith("ok: ");
  }

  @Test
  void closeDoesNotWaitForARead() throws Exception {
    files.readNow(() -> {});
    stuck.await();
    daemon.failing(1, Code.UNAUTHENTICATED, "UNAUTHENTICATED");
    CompletableFuture<Mac> mac =
        client.generateMacAsync(FakeDaemon.KEY_ID, MESSAGE, MacAlgorithm.HMAC_SHA_256);
    while (daemon.calls().isEmpty()) {
      Thread.onSpinWait();
    }
    client.close();
    assertThat(mac).isCompletedExceptionally();
    fifo.release();
  }
}

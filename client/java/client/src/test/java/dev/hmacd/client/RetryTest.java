package dev.hmacd.client;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import com.google.protobuf.Any;
import com.google.protobuf.Duration;
import com.google.rpc.ErrorInfo;
import com.google.rpc.RetryInfo;
import io.grpc.Metadata;
import io.grpc.Status.Code;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.RejectedExecutionException;
import java.util.function.DoubleSupplier;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// Attempts at one and at several daemons. Deadlines are long: a test that passes does not reach
/// them.
@Timeout(120)
class RetryTest {
  private static final byte[] MESSAGE = "hello".getBytes(UTF_8);
  private static final MacAlgorithm ALGORITHM = MacAlgorithm.HMAC_SHA_256;
  private static final String KEY = FakeDaemon.KEY_ID;
  private static final TestPki CLIENT = TestPki.client();
  private static final java.time.Duration LONG = java.time.Duration.ofMinutes(2);

  private final FakeDaemon daemon = FakeDaemon.overTls(TestPki.daemon("localhost"));
  private final FakeDaemon other = FakeDaemon.overTls(TestPki.daemon("localhost"));

  @AfterEach
  void close() {
    daemon.close();
    other.close();
  }

  private static HmacdClientBuilder builder(String... targets) {
    return HmacdClient.builder()
        .target(targets)
        .tls(CLIENT.ca(), CLIENT.cert(), CLIENT.key())
        .deadlineAfter(LONG)
        .attemptTimeout(LONG);
  }

  private static StatusRuntimeException busy(@Nullable RetryInfo retry, String pushback) {
    return failing("TOKEN_BUSY", retry, pushback);
  }

  private static StatusRuntimeException failing(
      String reason, @Nullable RetryInfo retry, String pushback) {
    var status =
        com.google.rpc.Status.newBuilder()
            .setCode(Code.RESOURCE_EXHAUSTED.value())
            .setMessage("busy\nindeed")
            .addDetails(
                Any.pack(ErrorInfo.newBuilder().setDomain("hmacd.dev").setReason(reason).build()));
    if (retry != null) {
      status.addDetails(Any.pack(retry));
    }
    var trailers = new Metadata();
    trailers.put(Metadata.Key.of("x-request-id", Metadata.ASCII_STRING_MARSHALLER), "id-1");
    if (!pushback.isEmpty()) {
      trailers.put(
          Metadata.Key.of("grpc-retry-pushback-ms", Metadata.ASCII_STRING_MARSHALLER), pushback);
    }
    return StatusProto.toStatusRuntimeException(status.build(), trailers);
  }

  private static HmacdException failure(HmacdClient client) {
    return catchThrowableOfType(
        HmacdException.class, () -> client.generateMac(KEY, MESSAGE, ALGORITHM));
  }

  @Test
  void callsAlternateBetweenDaemons() {
    try (var both = builder(daemon.target(), other.target()).build()) {
      for (int i = 0; i < 10; i++) {
        both.describeKey(KEY);
      }
      assertThat(daemon.calls()).hasSize(5);
      assertThat(other.calls()).hasSize(5);
    }
  }

  @Test
  void daemonThatIsDownIsSkipped() throws IOException {
    try (var some = builder(nobody(), daemon.target()).build()) {
      for (int i = 0; i < 5; i++) {
        some.describeKey(KEY);
      }
      some.createAlias("alias/new", KEY); // Also a change: it was not sent.
    }
    assertThat(daemon.calls()).hasSize(6);
  }

  @Test
  void busyDaemonIsLeftForTheNext() {
    daemon.failing(1, Code.RESOURCE_EXHAUSTED, "TOKEN_BUSY");
    try (var both = builder(daemon.target(), other.target()).build()) {
      both.generateMac(KEY, MESSAGE, ALGORITHM);
    }
    assertThat(daemon.calls()).hasSize(1);
    assertThat(other.calls()).hasSize(1);
  }

  @Test
  void stoppingDaemonIsSuspended() {
    daemon.failing(1, Code.UNAVAILABLE, "STOPPING");
    try (var both = builder(daemon.target(), other.target()).build()) {
      both.generateMac(KEY, MESSAGE, ALGORITHM);
      both.generateMac(KEY, MESSAGE, ALGORITHM);
    }
    assertThat(other.calls()).isNotEmpty();
  }

  @Test
  void silentDaemonIsLeftAfterTheAttemptTimeout() {
    daemon.hanging();
    try (var both =
        builder(daemon.target(), other.target())
            .attemptTimeout(java.time.Duration.ofSeconds(2))
            .build()) {
      both.generateMac(KEY, MESSAGE, ALGORITHM);
      both.generateMac(KEY, MESSAGE, ALGORITHM);
    }
    assertThat(other.calls()).hasSizeGreaterThanOrEqualTo(2);
  }

  /// A change is sent once, so an attempt timeout would only cancel it.
  @Test
  void changeHasNoAttemptTimeout() {
    daemon.hanging();
    try (var both =
        builder(daemon.target(), other.target())
            .attemptTimeout(java.time.Duration.ofMillis(1))
            .deadlineAfter(java.time.Duration.ofSeconds(2))
            .build()) {
      var failure =
          catchThrowableOfType(
              DeadlineExceededException.class, () -> both.createKey(KeySpec.HMAC_256, ""));
      assertThat(failure.attempts()).isEqualTo(1);
    }
    assertThat(other.calls()).isEmpty();
  }

  @Test
  void delayOfTheDaemonIsPartOfTheWait() {
    RetryInfo day =
        RetryInfo.newBuilder().setRetryDelay(Duration.newBuilder().setSeconds(86_400)).build();
    daemon.failing(busy(day, ""));
    try (var client = builder(daemon.target()).build()) {
      HmacdException failure = failure(client); // The delay ends after the deadline.
      assertThat(failure.reason()).isEqualTo(ErrorReason.TOKEN_BUSY);
      assertThat(failure.retryable()).isTrue();
      assertThat(failure.requestId()).isEqualTo("id-1");
      assertThat(failure)
          .hasMessage("TOKEN_BUSY: busy indeed (target " + daemon.target() + ", 1 attempts)");
      daemon.failing(busy(RetryInfo.getDefaultInstance(), ""));
      assertThat(client.generateMac(KEY, MESSAGE, ALGORITHM).keyVersion()).isEqualTo(1);
    }
    assertThat(daemon.calls()).hasSize(3);
  }

  @Test
  void reasonOfANewerDaemonIsRetriedAtTheNextTargetIfItHasADelay() {
    try (var both = builder(daemon.target(), other.target()).build()) {
      daemon.failing(failing("NEW_REASON", RetryInfo.getDefaultInstance(), ""));
      assertThat(both.generateMac(KEY, MESSAGE, ALGORITHM).keyVersion()).isEqualTo(1);
      assertThat(daemon.calls()).hasSize(1);
      assertThat(other.calls()).hasSize(1);
      daemon.failing(failing("NEW_REASON", null, ""));
      HmacdException failure = failure(both);
      assertThat(failure.attempts()).isEqualTo(1);
      assertThat(failure.retryable()).isFalse();
      assertThat(failure.mayHaveRun()).isTrue();
    }
  }

  @Test
  void pushbackForbidsOrDelaysTheRetry() {
    try (var client = builder(daemon.target()).build()) {
      for (String pushback : new String[] {"-1", "soon", "86400000"}) {
        daemon.failing(busy(null, pushback));
        assertThat(failure(client).attempts()).as(pushback).isEqualTo(1);
      }
      daemon.failing(busy(null, "0"));
      assertThat(client.generateMac(KEY, MESSAGE, ALGORITHM).keyVersion()).isEqualTo(1);
    }
  }

  @Test
  void retriesEndWithoutBudget() {
    for (int i = 0; i < 200; i++) {
      daemon.failing(busy(RetryInfo.getDefaultInstance(), ""));
    }
    try (var client = builder(daemon.target()).build()) {
      HmacdException failure = failure(client);
      assertThat(failure.reason()).isEqualTo(ErrorReason.TOKEN_BUSY);
      assertThat(failure.attempts()).isEqualTo(101);
    }
  }

  @Test
  void unauthenticatedCallIsAttemptedOnceMoreOverANewConnection() {
    daemon.failing(1, Code.UNAUTHENTICATED, "UNAUTHENTICATED");
    try (var client = builder(daemon.target()).build()) {
      client.generateMac(KEY, MESSAGE, ALGORITHM);
      assertThat(daemon.calls()).hasSize(2);
      assertThat(daemon.connections()).isEqualTo(2);
      daemon.failing(2, Code.UNAUTHENTICATED, "UNAUTHENTICATED");
      HmacdException failure = failure(client);
      assertThat(failure.reason()).isEqualTo(ErrorReason.UNAUTHENTICATED);
      assertThat(failure.attempts()).isEqualTo(2);
      assertThat(daemon.connections()).isEqualTo(3);
    }
  }

  @Test
  void unauthenticatedCallUsesFilesThatHaveChanged(@TempDir Path folder) throws IOException {
    Path cert = Files.copy(CLIENT.cert(), folder.resolve("cert.pem"));
    Path key = Files.copy(CLIENT.key(), folder.resolve("key.pem"));
    try (var client =
        builder(daemon.target()).tls(CLIENT.ca(), cert, key).fileInterval(SLOW).build()) {
      client.describeKey(KEY);
      TestPki renewed = TestPki.client();
      Files.copy(renewed.cert(), cert, StandardCopyOption.REPLACE_EXISTING);
      Files.copy(renewed.key(), key, StandardCopyOption.REPLACE_EXISTING);
      daemon.failing(1, Code.UNAUTHENTICATED, "UNAUTHENTICATED");
      client.describeKey(KEY);
      assertThat(daemon.peers()).hasSize(2).doesNotHaveDuplicates();
    }
  }

  @Test
  void unauthenticatedCallIsNotBlockedByAFifo(@TempDir Path folder) throws IOException {
    Path key = Files.copy(CLIENT.key(), folder.resolve("key.pem"));
    try (var client =
        builder(daemon.target()).tls(CLIENT.ca(), CLIENT.cert(), key).fileInterval(SLOW).build()) {
      Fifo.create(key);
      daemon.failing(1, Code.UNAUTHENTICATED, "UNAUTHENTICATED");
      client.describeKey(KEY);
      assertThat(daemon.connections()).isEqualTo(2);
      assertThat(client.doctor().get(0)).contains("files: " + key + " is not a regular file");
    }
  }

  private static final java.time.Duration SLOW = java.time.Duration.ofSeconds(5);

  @Test
  void renewedFilesAreUsedByNewConnections(@TempDir Path folder) throws IOException {
    TestPki stranger = TestPki.stranger();
    Path ca = Files.copy(stranger.ca(), folder.resolve("ca.pem"));
    try (var client =
        builder(daemon.target())
            .tls(ca, CLIENT.cert(), CLIENT.key())
            .fileInterval(java.time.Duration.ofSeconds(1))
            .build()) {
      assertThat(failure(client)).isInstanceOf(TlsFailedException.class);
      Files.copy(CLIENT.ca(), ca, StandardCopyOption.REPLACE_EXISTING);
      while (daemon.calls().isEmpty()) {
        try {
          client.describeKey(KEY);
        } catch (TlsFailedException e) {
          assertThat(e.fault()).isEqualTo(TlsFault.DAEMON_NOT_TRUSTED); // not renewed yet
        }
      }
    }
  }

  @Test
  void callWaitsForADaemonThatStartsLater(@TempDir Path folder) {
    Path socket = folder.resolve("hmacd.sock");
    try (var client = HmacdClient.builder().target("unix:" + socket).deadlineAfter(LONG).build()) {
      CompletableFuture<Mac> mac = client.generateMacAsync(KEY, MESSAGE, ALGORITHM);
      HmacdException absent =
          catchThrowableOfType(HmacdException.class, () -> client.health("")); // The call waits.
      assertThat(absent.reason()).isEqualTo(ErrorReason.CONNECTION_FAILED);
      try (var late = FakeDaemon.overUnixSocket(socket)) {
        assertThat(mac.join().keyVersion()).isEqualTo(1);
        assertThat(late.calls()).containsExactly("GenerateMac");
      }
    }
  }

  @Test
  void callWithoutADaemonEndsAtItsDeadlineWithTheLastError(@TempDir Path folder) {
    try (var client =
        HmacdClient.builder()
            .target("unix:" + folder.resolve("none.sock"))
            .deadlineAfter(java.time.Duration.ofMillis(1500))
            .build()) {
      long start = System.nanoTime();
      HmacdException failure = failure(client);
      assertThat(System.nanoTime() - start).isGreaterThanOrEqualTo(1_400_000_000L);
      assertThat(failure.mayHaveRun()).isFalse();
      assertThat(failure.reason())
          .isIn(ErrorReason.CONNECTION_FAILED, ErrorReason.DEADLINE_EXCEEDED);
    }
  }

  @Test
  void closeCancelsACallThatDoesNotEnd() throws InterruptedException {
    daemon.hanging();
    var client = builder(daemon.target()).build();
    CompletableFuture<Mac> mac = client.generateMacAsync(KEY, MESSAGE, ALGORITHM);
    while (daemon.calls().isEmpty()) {
      Thread.onSpinWait();
    }
    client.close();
    assertThatExceptionOfType(CompletionException.class)
        .isThrownBy(mac::join)
        .havingCause()
        .isInstanceOfSatisfying(
            ClosedException.class,
            closed -> {
              assertThat(closed.attempts()).isEqualTo(1);
              assertThat(closed.mayHaveRun()).isTrue();
              assertThat(closed.retryable()).isFalse();
            });
    assertThat(daemon.awaitCancelled()).isTrue();
  }

  @Test
  void interruptedThreadCancelsItsCall() throws InterruptedException {
    daemon.hanging();
    try (var client = builder(daemon.target()).build()) {
      var failure = new CompletableFuture<HmacdException>();
      var caller = new Thread(() -> failure.complete(failure(client)));
      caller.start();
      while (daemon.calls().isEmpty()) {
        Thread.onSpinWait();
      }
      caller.interrupt();
      assertThat(failure.join().reason()).isEqualTo(ErrorReason.CANCELLED);
      assertThat(failure.join().mayHaveRun()).isTrue();
      assertThat(daemon.awaitCancelled()).isTrue();
    }
  }

  @Test
  void unexpectedExceptionOfAStepEndsTheCall(@TempDir Path folder) {
    try (var local = FakeDaemon.overUnixSocket(folder.resolve("hmacd.sock"));
        var client =
            client(
                new Connections(List.of(Target.parse(local.target())), null),
                () -> {
                  throw new IllegalStateException("an exception of the test");
                })) {
      local.failing(2, Code.RESOURCE_EXHAUSTED, "TOKEN_BUSY");
      assertUnexpected(failure(client), IllegalStateException.class);
      assertThatExceptionOfType(CompletionException.class)
          .isThrownBy(() -> client.generateMacAsync(KEY, MESSAGE, ALGORITHM).join())
          .havingCause()
          .isInstanceOfSatisfying(
              HmacdException.class, e -> assertUnexpected(e, IllegalStateException.class));
      assertThat(client.generateMac(KEY, MESSAGE, ALGORITHM).keyVersion()).isEqualTo(1);
    }
  }

  @Test
  void unexpectedExceptionOfATimerEndsTheCall(@TempDir Path folder) {
    try (var local = FakeDaemon.overUnixSocket(folder.resolve("hmacd.sock"))) {
      var connections = new Connections(List.of(Target.parse(local.target())), null);
      try (var client =
          client(
              connections,
              () -> { // Runs before the back-off. After it, the executor refuses the next step.
                connections.callbacks().shutdown();
                return 0.5;
              })) {
        local.failing(1, Code.RESOURCE_EXHAUSTED, "TOKEN_BUSY");
        assertThatExceptionOfType(CompletionException.class)
            .isThrownBy(() -> client.generateMacAsync(KEY, MESSAGE, ALGORITHM).join())
            .havingCause()
            .isInstanceOfSatisfying(
                HmacdException.class, e -> assertUnexpected(e, RejectedExecutionException.class));
      }
    }
  }

  private static HmacdClient client(Connections connections, DoubleSupplier random) {
    connections.start(SLOW);
    var policy = new RetryPolicy(new TargetPicker(1, () -> 0), new RetryBudget(), LONG, random);
    return new HmacdClient(
        new Calls(connections, policy, LONG, CallObserver.NONE), List.of(), MESSAGE.length);
  }

  private static void assertUnexpected(HmacdException e, Class<? extends Exception> cause) {
    assertThat(e)
        .hasMessageStartingWith("UNKNOWN: an unexpected " + cause.getName() + " in this client (")
        .hasCauseInstanceOf(cause)
        .returns(ErrorReason.UNKNOWN, HmacdException::reason)
        .returns(true, HmacdException::mayHaveRun)
        .returns(1, HmacdException::attempts);
  }

  /// An address without a listener.
  private static String nobody() throws IOException {
    try (var socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      return "127.0.0.1:" + socket.getLocalPort();
    }
  }
}

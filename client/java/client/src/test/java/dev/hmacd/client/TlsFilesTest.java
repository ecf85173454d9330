package dev.hmacd.client;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.grpc.ChannelCredentials;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.time.InstantSource;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// The set of PEM files, read by the test in place of the thread.
@Timeout(60)
class TlsFilesTest {
  private final Path ca;
  private final Path cert;
  private final Path key;
  private final TlsFiles files;
  private final ChannelCredentials first;

  TlsFilesTest(@TempDir Path folder) throws IOException {
    this.ca = folder.resolve("ca.pem");
    this.cert = folder.resolve("cert.pem");
    this.key = folder.resolve("key.pem");
    write(TestPki.client());
    this.files =
        TlsFiles.open(
            () -> PemSet.read(ca, cert, key), InstantSource.system(), Duration.ofMinutes(1));
    this.first = files.credentials();
  }

  @AfterEach
  void close() {
    files.close();
  }

  private void write(TestPki pki) throws IOException {
    Files.copy(pki.ca(), ca, StandardCopyOption.REPLACE_EXISTING);
    Files.copy(pki.cert(), cert, StandardCopyOption.REPLACE_EXISTING);
    Files.copy(pki.key(), key, StandardCopyOption.REPLACE_EXISTING);
  }

  @Test
  void changedSetIsUsedAfterTheSecondRead() throws IOException {
    files.read();
    assertThat(files.credentials()).isSameAs(first);
    write(TestPki.client());
    files.read();
    assertThat(files.credentials()).isSameAs(first);
    files.read();
    ChannelCredentials renewed = files.credentials();
    assertThat(renewed).isNotSameAs(first);
    files.read();
    assertThat(files.credentials()).isSameAs(renewed);
    assertThat(files.problem()).isEmpty();
  }

  @Test
  void setThatStillChangesIsNotUsed() throws IOException {
    for (int i = 0; i < 3; i++) {
      write(TestPki.client());
      files.read();
      assertThat(files.credentials()).isSameAs(first);
    }
  }

  /// The files are written one after the other: a set in between is never used.
  @Test
  void setThatDoesNotBelongTogetherIsNotUsed() throws IOException {
    TestPki next = TestPki.client();
    Files.copy(next.cert(), cert, StandardCopyOption.REPLACE_EXISTING);
    files.read();
    files.read();
    assertThat(files.credentials()).isSameAs(first);
    assertThat(files.problem()).contains("is not the private key of the certificate");
    Files.copy(next.key(), key, StandardCopyOption.REPLACE_EXISTING);
    files.read();
    files.read();
    assertThat(files.credentials()).isNotSameAs(first);
    assertThat(files.problem()).isEmpty();
  }

  @Test
  void endedMissingOrDamagedFileIsNotUsed() throws IOException {
    write(TestPki.expiredClient());
    files.read();
    files.read();
    assertThat(files.problem()).contains("expired at");
    Files.writeString(ca, "hello", US_ASCII);
    files.read();
    files.read();
    assertThat(files.problem()).contains("no certificate");
    Files.delete(key);
    files.read();
    assertThat(files.problem()).contains("cannot read ").contains("key.pem");
    assertThat(files.credentials()).isSameAs(first);
  }

  @Test
  void fifoIsNotOpened() throws IOException {
    Fifo fifo = Fifo.create(key);
    files.read();
    assertThat(files.problem())
        .isEqualTo(key + " is not a regular file; use the path of a PEM file");
    assertThat(files.check(Duration.ofMinutes(1))).isEqualTo(files.problem());
    assertThatIllegalArgumentException()
        .isThrownBy(() -> HmacdClient.builder().target("h:1").tls(ca, cert, fifo.path()).build())
        .withMessage(files.problem());
    assertThat(files.credentials()).isSameAs(first);
    Files.delete(key);
    write(TestPki.client());
    files.read();
    files.read();
    assertThat(files.credentials()).isNotSameAs(first);
  }

  @Test
  void exceptionOfARenewalEndsNeitherTheTaskNorTheReads() throws IOException, InterruptedException {
    var renewals = new LinkedBlockingQueue<Integer>();
    files.start(
        Duration.ofMillis(1),
        () -> {
          renewals.add(0);
          throw new IllegalStateException("an exception of the test");
        });
    for (int i = 0; i < 2; i++) {
      write(TestPki.client());
      var done = new CompletableFuture<Boolean>();
      files.readNow(() -> done.complete(true));
      assertThat(done.join()).isTrue();
      assertThat(renewals.take()).isZero();
      renewals.clear();
    }
    write(TestPki.client());
    assertThat(renewals.take()).isZero();
  }

  @Test
  void authorityAloneIsRenewed() throws IOException {
    Files.copy(TestPki.stranger().ca(), ca, StandardCopyOption.REPLACE_EXISTING);
    files.read();
    files.read();
    assertThat(files.credentials()).isNotSameAs(first);
  }

  @Test
  void readNowUsesAChangedSetAtOnceAndThenRunsTheTask() throws IOException {
    var renewals = new AtomicInteger();
    files.start(Duration.ofHours(1), renewals::incrementAndGet);
    write(TestPki.client());
    var done = new CompletableFuture<Integer>();
    files.readNow(() -> done.complete(renewals.get()));
    assertThat(done.join()).isEqualTo(1);
    assertThat(files.credentials()).isNotSameAs(first);
    var unchanged = new CompletableFuture<Integer>();
    files.readNow(() -> unchanged.complete(renewals.get()));
    assertThat(unchanged.join()).isEqualTo(1);
  }
}

package dev.hmacd.command;

import static dev.hmacd.testing.Reasons.failsWith;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.params.provider.Arguments.argumentSet;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.AppenderBase;
import dev.hmacd.access.Action;
import dev.hmacd.config.ConfigException;
import dev.hmacd.config.ConfigFile;
import dev.hmacd.testing.Caller;
import dev.hmacd.testing.Eventually;
import dev.hmacd.testing.LogWatch;
import dev.hmacd.testing.LoopbackDaemon;
import dev.hmacd.testing.RawHttp2;
import dev.hmacd.testing.TestCa;
import dev.hmacd.v1.KeySpec;
import io.grpc.Status.Code;
import io.grpc.StatusRuntimeException;
import io.netty.pkitesting.X509Bundle;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.cert.X509Certificate;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneId;
import java.time.ZoneOffset;
import java.time.temporal.ChronoUnit;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import java.util.stream.Stream;
import javax.net.ssl.SSLSocket;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.slf4j.LoggerFactory;

/// Changes of rules, certificates and authorities under load.
@Tag("slow")
final class ReloadTest {
  private static final List<Action> MAC = List.of(Action.GENERATE_MAC);

  private final LoopbackDaemon daemon = LoopbackDaemon.withAdmin();
  private final Errors errors = new Errors();
  private Caller admin;
  private String key = "";
  private Reloader reloader;

  /// Records log lines of level ERROR.
  private static final class Errors extends AppenderBase<ILoggingEvent> {
    private final Queue<String> lines = new ConcurrentLinkedQueue<>();

    @Override
    protected void append(ILoggingEvent event) {
      if (event.getLevel() == Level.ERROR) {
        lines.add(event.getMessage() + " " + event.getKeyValuePairs());
      }
    }
  }

  private static Logger log() {
    return (Logger) LoggerFactory.getLogger("dev.hmacd");
  }

  @BeforeEach
  void start() throws Exception {
    errors.start();
    log().addAppender(errors);
    daemon.start();
    admin = daemon.as("admin");
    key = admin.createKey(KeySpec.KEY_SPEC_HMAC_256);
    admin.createAlias("alias/a", key);
    reloader = new Reloader(daemon.config(), ConfigFile.read(daemon.config()), daemon.daemon());
    reloader.start();
  }

  @AfterEach
  void stop() {
    reloader.close();
    daemon.close();
    log().detachAppender(errors);
  }

  private boolean isAllowed(Caller caller) {
    return isAllowed(caller, key);
  }

  private static boolean isAllowed(Caller caller, String keyId) {
    try {
      return caller.generateMac(keyId, "hello").length == 32;
    } catch (StatusRuntimeException e) {
      return false;
    }
  }

  /// Two callers during a change: one on a lasting connection, one on a new connection for each
  /// call.
  private final class Callers implements AutoCloseable {
    private final AtomicBoolean over = new AtomicBoolean();
    private final AtomicInteger lasting = new AtomicInteger();
    private final AtomicInteger fresh = new AtomicInteger();
    private final Queue<Throwable> failures = new ConcurrentLinkedQueue<>();
    private final List<Thread> threads;

    Callers() {
      X509Bundle certificate = daemon.ca().client("admin");
      threads =
          List.of(
              Thread.ofPlatform()
                  .start(() -> calling(lasting, caller -> admin.generateMac(key, caller))),
              Thread.ofPlatform()
                  .start(
                      () ->
                          calling(
                              fresh,
                              message -> {
                                try (Caller caller = daemon.as(certificate)) {
                                  caller.generateMac(key, message);
                                }
                              })));
      awaitMore();
    }

    private void calling(AtomicInteger count, Consumer<String> call) {
      while (!over.get()) {
        try {
          call.accept("hello");
          count.incrementAndGet();
        } catch (RuntimeException e) {
          failures.add(e);
        }
      }
    }

    /// Waits until both callers have completed further calls.
    void awaitMore() {
      int lastingBefore = lasting.get();
      int freshBefore = fresh.get();
      Eventually.holds(
          "both callers are served",
          () -> lasting.get() > lastingBefore + 1 && fresh.get() > freshBefore + 1);
    }

    @Override
    public void close() {
      over.set(true);
      for (Thread thread : threads) {
        Eventually.holds(thread.getName() + " has ended", () -> !thread.isAlive());
      }
      assertThat(failures).isEmpty();
    }
  }

  @Test
  void changedRuleIsEffectiveWithoutFailedCallsOfOthers() throws Exception {
    Caller billing = daemon.as("billing");
    assertThatThrownBy(() -> billing.generateMac(key, "hello"))
        .satisfies(failsWith(Code.PERMISSION_DENIED, "ACCESS_DENIED"));
    try (var callers = new Callers()) {
      daemon.allowing("billing", MAC, "alias/a").writeConfig();
      Eventually.holds("billing is allowed", () -> isAllowed(billing));
      daemon.withoutRules().allowingAll("admin").writeConfig();
      Eventually.holds("billing is no longer allowed", () -> !isAllowed(billing));
      callers.awaitMore();
    }
    assertThatThrownBy(() -> billing.generateMac(key, "hello"))
        .satisfies(failsWith(Code.PERMISSION_DENIED, "ACCESS_DENIED"));
    assertThat(errors.lines).isEmpty();
  }

  @Test
  void changedRulesAreLoggedWithTheirNumberAndUnchangedRulesAreNot() throws Exception {
    try (LogWatch log = LogWatch.start()) {
      daemon.daemon().reload(ConfigFile.read(daemon.config()));
      assertThat(log.lines("Access rules reloaded")).isEmpty();
      daemon.allowing("billing", MAC, "alias/a").writeConfig();
      Eventually.holds(
          "the change is logged",
          () ->
              log.lines("Access rules reloaded", "added=\"1\"", "removed=\"0\"", "changed=\"0\"")
                      .size()
                  == 1);
      daemon.withoutRules().allowingAll("admin").allowing("billing", MAC, "*").writeConfig();
      Eventually.holds(
          "the change is logged",
          () ->
              log.lines("Access rules reloaded", "added=\"0\"", "removed=\"0\"", "changed=\"1\"")
                      .size()
                  == 1);
    }
  }

  @Test
  void changeBetweenTheStartAndTheFirstPollIsEffective() throws Exception {
    Caller billing = daemon.as("billing");
    var read = ConfigFile.read(daemon.config());
    daemon.allowing("billing", MAC, "*").writeConfig();
    reloader.close();
    reloader = new Reloader(daemon.config(), read, daemon.daemon());
    X509Bundle fresh = daemon.ca().server();
    install(fresh);
    reloader.start();
    Eventually.holds("billing is allowed", () -> isAllowed(billing));
    Eventually.holds(
        "the new certificate is presented", () -> presented().equals(fresh.getCertificate()));
  }

  static Stream<Arguments> invalidConfigurations() {
    return Stream.of(
        argumentSet("not YAML", "{"),
        argumentSet("empty", ""),
        argumentSet("truncated", "grpc: {listen: 127.0.0.1:0}\n"));
  }

  @ParameterizedTest
  @MethodSource("invalidConfigurations")
  void invalidConfigurationIsLoggedAndTheOldOneStays(String yaml) throws Exception {
    try (var callers = new Callers()) {
      daemon.write("hmacd.yaml", yaml);
      Eventually.holds("an error is logged", () -> !errors.lines.isEmpty());
      callers.awaitMore();
    }
    assertThat(errors.lines)
        .singleElement()
        .asString()
        .startsWith("Configuration not reloaded ")
        .contains("problems");
    daemon.allowing("billing", MAC, "*").writeConfig();
    Eventually.holds(
        "the corrected configuration is effective", () -> isAllowed(daemon.as("billing")));
  }

  @Test
  void correctedFileWithTheSameTimestampAndLengthIsRead() throws Exception {
    daemon.allowing("billing", MAC, "*").writeConfig();
    String good = Files.readString(daemon.config());
    daemon.write("hmacd.yaml", good.replace("access:", "acc%ss:"));
    Eventually.holds("an error is logged", () -> !errors.lines.isEmpty());
    FileTime changed = Files.getLastModifiedTime(daemon.config());
    // The corrected file has the same length, so a read never sees a truncated file.
    Files.writeString(daemon.config(), good, StandardOpenOption.WRITE);
    Files.setLastModifiedTime(daemon.config(), changed);
    Eventually.holds("billing is allowed", () -> isAllowed(daemon.as("billing")));
    assertThat(errors.lines).hasSize(1);
  }

  /// A daemon whose reloader polls only when the test calls it.
  private static Reloader polling(LoopbackDaemon other) throws ConfigException {
    return new Reloader(other.config(), ConfigFile.read(other.config()), other.daemon());
  }

  /// A file that is moved away and back has the same identity, size and time.
  @ParameterizedTest
  @CsvSource({
    "configuration, hmacd.yaml, Configuration not reloaded",
    "tls, server.pem, TLS files not reloaded",
  })
  void goodFileThatReturnsIsReloadedAndTheNextFaultIsLogged(
      String files, String name, String message) throws Exception {
    var clock = new TestClock();
    try (var other = LoopbackDaemon.withAdmin().clock(clock).start();
        var polling = polling(other);
        LogWatch log = LogWatch.start()) {
      Path file = other.folder().resolve(name);
      Path good = other.folder().resolve("good");
      String label = "files=\"" + files + "\"";
      double loaded = (double) clock.now.getEpochSecond();
      polling.poll();
      for (int faults = 1; faults <= 2; faults++) {
        Files.move(file, good);
        other.write(name, "");
        polling.poll();
        polling.poll();
        assertThat(log.count(message)).isEqualTo(faults);
        assertThat(other.metric("hmacd_reload_healthy", label)).isZero();
        Files.move(good, file, StandardCopyOption.ATOMIC_MOVE);
        polling.poll();
        assertThat(other.metric("hmacd_reload_healthy", label)).isEqualTo(1);
      }
      clock.now = clock.now.plusSeconds(60);
      polling.poll();
      assertThat(other.metric("hmacd_last_load_timestamp_seconds", label)).isEqualTo(loaded);
    }
  }

  /// Each reload makes a new TLS context, with new ticket keys, and logs each authority that was
  /// left out.
  @Test
  void faultOfOneEdgeDoesNotReloadTheOther() throws Exception {
    try (var other = LoopbackDaemon.withAdmin().awsKmsWithTls().start();
        var polling = polling(other);
        LogWatch log = LogWatch.start()) {
      Path folder = other.folder();
      other.write("aws.pem", "");
      pollSeveralTimes(polling);
      assertThat(log.count("TLS files not reloaded", "aws_kms.tls.certificate")).isEqualTo(1);
      assertThat(log.lines("TLS files reloaded")).isEmpty();
      TestCa.write(
          other.ca().server(), folder.resolve("server.pem"), folder.resolve("server-key.pem"));
      pollSeveralTimes(polling);
      assertThat(log.lines("TLS files reloaded")).hasSize(1);
      assertThat(log.lines("TLS files reloaded", "edge=\"grpc\"")).hasSize(1);
      TestCa.write(other.ca().server(), folder.resolve("aws.pem"), folder.resolve("aws-key.pem"));
      pollSeveralTimes(polling);
      assertThat(log.lines("TLS files reloaded")).hasSize(2);
      assertThat(log.lines("TLS files reloaded", "edge=\"aws_kms\"")).hasSize(1);
      assertThat(log.count("TLS files not reloaded")).isEqualTo(1);
      assertThat(other.metric("hmacd_reload_healthy", "files=\"tls\"")).isEqualTo(1);
    }
  }

  private static void pollSeveralTimes(Reloader polling) {
    for (int i = 0; i < 5; i++) {
      polling.poll();
    }
  }

  /// The certificate that the daemon presents to new connections.
  private X509Certificate presented() {
    try (SSLSocket socket =
        (SSLSocket)
            daemon
                .ca()
                .context(daemon.ca().client("admin"))
                .getSocketFactory()
                .createSocket(InetAddress.getLoopbackAddress(), daemon.port())) {
      socket.startHandshake();
      return (X509Certificate) socket.getSession().getPeerCertificates()[0];
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private void install(X509Bundle server) {
    TestCa.write(
        server, daemon.folder().resolve("server.pem"), daemon.folder().resolve("server-key.pem"));
  }

  @Test
  void replacedCertificateIsPresentedWithoutFailedCalls() throws Exception {
    X509Bundle fresh = daemon.ca().server();
    assertThat(presented()).isNotEqualTo(fresh.getCertificate());
    try (var callers = new Callers()) {
      install(fresh);
      Eventually.holds(
          "the new certificate is presented", () -> presented().equals(fresh.getCertificate()));
      callers.awaitMore();
    }
  }

  static Stream<Arguments> invalidTlsFiles() {
    var ca = new TestCa("other");
    return Stream.of(
        tls("no certificate", d -> d.write("server.pem", "")),
        tls(
            "truncated certificate",
            d -> d.write("server.pem", read(d, "server.pem").substring(0, 300))),
        tls(
            "key of another certificate",
            d -> d.write("server-key.pem", ca.server().getPrivateKeyPEM())),
        tls(
            "certificate of another key",
            d -> d.write("server.pem", ca.server().getCertificatePEM())),
        tls("no key", d -> d.write("server-key.pem", "")),
        tls("private key that others can read", ReloadTest::writeReadableKey),
        tls(
            "key of another type",
            d ->
                d.write(
                    "server-key.pem",
                    read(d, "server-key.pem").replace("PRIVATE KEY", "RSA PRIVATE KEY"))),
        tls(
            "expired certificate",
            d ->
                TestCa.write(
                    d.ca()
                        .issue(
                            b ->
                                b.subject("CN=server")
                                    .addSanDnsName("localhost")
                                    .notBefore(Instant.now().minus(Duration.ofDays(2)))
                                    .notAfter(Instant.now().minus(Duration.ofDays(1)))),
                    d.folder().resolve("server.pem"),
                    d.folder().resolve("server-key.pem"))),
        tls("no authority", d -> d.write("ca.pem", "")),
        tls(
            "expired authority",
            d ->
                d.write(
                    "ca.pem",
                    new TestCa(
                            "expired",
                            Instant.now().minus(Duration.ofDays(2)),
                            Instant.now().minus(Duration.ofDays(1)))
                        .pem())),
        tls(
            "malformed authority",
            d ->
                d.write(
                    "ca.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")),
        tls("no file", d -> delete(d.folder().resolve("ca.pem"))),
        tls(
            "a folder",
            d -> {
              delete(d.folder().resolve("ca.pem"));
              mkdir(d.folder().resolve("ca.pem"));
            }));
  }

  private static Arguments tls(String name, Consumer<LoopbackDaemon> damage) {
    return argumentSet(name, damage);
  }

  /// Replaces the private key by a copy that others can read.
  private static void writeReadableKey(LoopbackDaemon daemon) {
    try {
      Path key = daemon.folder().resolve("server-key.pem");
      Path copy = Files.createTempFile(daemon.folder(), "server-key", ".new");
      Files.writeString(copy, Files.readString(key));
      Files.setPosixFilePermissions(copy, PosixFilePermissions.fromString("rw-r--r--"));
      Files.move(copy, key, StandardCopyOption.ATOMIC_MOVE);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static String read(LoopbackDaemon daemon, String name) {
    try {
      return Files.readString(daemon.folder().resolve(name));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static void delete(Path file) {
    try {
      Files.delete(file);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static void mkdir(Path folder) {
    try {
      Files.createDirectory(folder);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @ParameterizedTest
  @MethodSource("invalidTlsFiles")
  void invalidTlsFilesAreLoggedAndTheOldOnesStay(Consumer<LoopbackDaemon> damage) throws Exception {
    X509Certificate before = presented();
    try (var callers = new Callers()) {
      damage.accept(daemon);
      Eventually.holds("an error is logged", () -> !errors.lines.isEmpty());
      callers.awaitMore();
    }
    assertThat(presented()).isEqualTo(before);
    assertThat(errors.lines)
        .allSatisfy(line -> assertThat(line).startsWith("TLS files not reloaded "));
  }

  @Test
  void addedAuthorityIsTrustedAndRemovedAuthorityIsNotAlsoOnOpenConnections() throws Exception {
    var other = new TestCa("other");
    Caller old = daemon.as("admin");
    assertThat(isAllowed(old)).isTrue();
    Caller idle = daemon.as("admin");
    assertThat(isAllowed(idle)).isTrue();
    try (RawHttp2 resuming = daemon.raw("admin").preface()) {
      resuming.call(1, "/no/such").data(1);
      assertThat(resuming.end(1)).isInstanceOf(RawHttp2.End.Answered.class);
    }
    X509Bundle newcomer = other.client("admin");
    try (Caller early = daemon.as(newcomer)) {
      assertThat(isAllowed(early)).isFalse();
    }

    try (var callers = new Callers()) {
      daemon.write("ca.pem", daemon.ca().pem() + other.pem());
      Eventually.holds(
          "the added authority is trusted",
          () -> {
            try (Caller caller = daemon.as(newcomer)) {
              return isAllowed(caller);
            }
          });
      callers.awaitMore();
    }

    Caller lasting = daemon.as(newcomer);
    assertThat(isAllowed(lasting)).isTrue();
    daemon.write("ca.pem", other.pem());
    Eventually.holds("the removed authority is not trusted", () -> !isAllowed(old));
    // The first refusal closes a connection, and the next call would use another one.
    assertThatThrownBy(() -> idle.generateMac(key, "hello"))
        .satisfies(failsWith(Code.UNAUTHENTICATED, "UNAUTHENTICATED"));
    assertThat(isAllowed(lasting)).isTrue();
    try (Caller late = daemon.as("admin")) {
      assertThatThrownBy(() -> late.generateMac(key, "hello"))
          .isInstanceOfSatisfying(
              StatusRuntimeException.class,
              e -> assertThat(e.getStatus().getCode()).isEqualTo(Code.UNAVAILABLE));
    }
    assertThatThrownBy(
            () -> {
              // A resumed TLS session would not need the certificate again.
              try (RawHttp2 resuming = daemon.raw("admin").preface()) {
                resuming.call(1, "/no/such").data(1);
                if (resuming.end(1) instanceof RawHttp2.End.Closed) {
                  throw new IOException("closed");
                }
              }
            })
        .isInstanceOf(IOException.class);
  }

  /// Kubernetes replaces mounted secrets this way: a symbolic link in the path gets another target.
  @Test
  void filesBehindASymbolicLinkAreReadAgainAfterItsChange() throws Exception {
    Path folder = daemon.folder();
    X509Bundle first = daemon.ca().server();
    X509Bundle second = daemon.ca().server();
    for (var each : List.of(first, second)) {
      Path data = Files.createDirectory(folder.resolve(each == first ? "data1" : "data2"));
      TestCa.write(each, data.resolve("server.pem"), data.resolve("server-key.pem"));
    }
    Files.createSymbolicLink(folder.resolve("data"), Path.of("data1"));
    for (String name : List.of("server.pem", "server-key.pem")) {
      Files.createSymbolicLink(folder.resolve("new"), Path.of("data", name));
      Files.move(folder.resolve("new"), folder.resolve(name), StandardCopyOption.ATOMIC_MOVE);
    }
    Eventually.holds(
        "the first certificate is presented", () -> presented().equals(first.getCertificate()));
    try (var callers = new Callers()) {
      Files.createSymbolicLink(folder.resolve("new"), Path.of("data2"));
      Files.move(folder.resolve("new"), folder.resolve("data"), StandardCopyOption.ATOMIC_MOVE);
      Eventually.holds(
          "the second certificate is presented", () -> presented().equals(second.getCertificate()));
      callers.awaitMore();
    }
  }

  /// A clock that a test sets.
  private static final class TestClock extends Clock {
    private volatile Instant now = Instant.now();

    @Override
    public Instant instant() {
      return now;
    }

    @Override
    public ZoneId getZone() {
      return ZoneOffset.UTC;
    }

    @Override
    public Clock withZone(ZoneId zone) {
      return this;
    }
  }

  /// New connections, and connections that are open at the end of the authority.
  @Test
  void certificateIsRefusedAfterTheExpiryOfItsAuthority() throws Exception {
    var clock = new TestClock();
    Instant end = clock.now.plus(Duration.ofHours(1)).truncatedTo(ChronoUnit.SECONDS);
    var expiring = new TestCa("expiring", end.minus(Duration.ofDays(2)), end);
    try (var other = LoopbackDaemon.withAdmin().clock(clock).start();
        LogWatch log = LogWatch.start()) {
      other.write("ca.pem", other.ca().pem() + expiring.pem());
      other.daemon().reloadTls();
      Caller lasting = other.as("admin");
      String made = lasting.createKey(KeySpec.KEY_SPEC_HMAC_256);
      Caller caller = other.as(expiring.client("admin"));
      assertThat(caller.generateMac(made, "hello")).hasSize(32);
      assertThat(other.metric("hmacd_client_authority_expiry_timestamp_seconds"))
          .isEqualTo((double) end.getEpochSecond());
      assertThat(other.metric("hmacd_client_authorities_left_out")).isZero();
      try (var polling =
          new Reloader(other.config(), ConfigFile.read(other.config()), other.daemon())) {
        polling.start();
        clock.now = end.plusNanos(1);
        assertThatThrownBy(() -> caller.generateMac(made, "hello"))
            .satisfies(failsWith(Code.UNAUTHENTICATED, "UNAUTHENTICATED"));
        assertThat(lasting.generateMac(made, "hello")).hasSize(32);
        Eventually.holds(
            "the expired authority is logged",
            () -> log.count("Certificate authority left out", "CN=expiring") > 0);
      }
      assertThat(other.metric("hmacd_client_authorities_left_out")).isEqualTo(1);
      Eventually.holds(
          "a new connection is refused",
          () -> {
            try (Caller late = other.as(expiring.client("admin"))) {
              return !isAllowed(late, made);
            }
          });
    }
  }

  @Test
  void certificateThatExpiresDuringAConnectionIsRefusedAfterwards() {
    var clock = new TestClock();
    try (var other = LoopbackDaemon.withAdmin().clock(clock).start()) {
      X509Bundle certificate = other.ca().client("admin");
      Caller caller = other.as(certificate);
      String made = caller.createKey(KeySpec.KEY_SPEC_HMAC_256);
      Instant end = certificate.getCertificate().getNotAfter().toInstant();
      clock.now = end;
      assertThat(caller.generateMac(made, "hello")).hasSize(32);
      clock.now = end.plusSeconds(1);
      assertThatThrownBy(() -> caller.generateMac(made, "hello"))
          .satisfies(failsWith(Code.UNAUTHENTICATED, "UNAUTHENTICATED"));
    }
  }
}

package dev.hmacd.rpc;

import static dev.hmacd.testing.Reasons.failsWith;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.hmacd.testing.Caller;
import dev.hmacd.testing.Eventually;
import dev.hmacd.testing.KnownMac;
import dev.hmacd.testing.LoopbackDaemon;
import dev.hmacd.testing.RawHttp2;
import dev.hmacd.testing.RawHttp2.End;
import dev.hmacd.testing.RawHttp2.GoAway;
import dev.hmacd.testing.RenewableIdentity;
import dev.hmacd.testing.SettableClock;
import dev.hmacd.testing.SoftHsm;
import dev.hmacd.testing.TestCa;
import dev.hmacd.token.FaultyToken;
import dev.hmacd.v1.KeySpec;
import io.grpc.ConnectivityState;
import io.grpc.Status.Code;
import io.netty.pkitesting.X509Bundle;
import java.io.IOException;
import java.net.URI;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/// The graceful close of a connection at the end of its client certificate. The clock of the daemon
/// stands still, so no certificate ends before the test advances the clock.
final class CertificateEndTest {
  @SuppressWarnings("TimeInStaticInitializer") // All certificates relate to one time.
  private static final Instant NOW = Instant.now().truncatedTo(ChronoUnit.SECONDS);

  /// The end of a certificate with two seconds left, by the clock of the daemon. The TLS library
  /// uses the clock of the machine, for which the certificate lasts for hours.
  private static final Instant END = NOW.plus(Duration.ofHours(4));

  private static final Instant START = END.minusSeconds(2);

  /// The lead is between 0.5 and 1 second.
  private static final Duration UNTIL_LEAD = Duration.ofMillis(1600);

  private static final Duration UNTIL_END = Duration.ofSeconds(2);
  private static final long LONG = Eventually.LIMIT.toSeconds();
  private static final Executor OWN_THREAD = task -> Thread.ofPlatform().start(task);

  private static final End UNAUTHENTICATED =
      new End.Answered(Code.UNAUTHENTICATED, "UNAUTHENTICATED", "");

  private final SettableClock clock = new SettableClock(START);
  private final FaultyToken token = new FaultyToken(SoftHsm.shared().token());
  private final LoopbackDaemon daemon =
      LoopbackDaemon.withAdmin()
          .allowingSocket()
          .clock(clock)
          .wrapping(_ -> token)
          .token("probe_interval: 1h")
          .token("hang_timeout: 1h")
          .limit("max_call_time: 10m");
  private Caller socket;
  private KnownMac mac;

  @BeforeEach
  void start() {
    daemon.start();
    socket = daemon.onSocket();
    mac = KnownMac.create(socket);
  }

  @AfterEach
  void stop() {
    daemon.close();
  }

  private X509Bundle admin(Instant end) {
    return daemon
        .ca()
        .issue(
            builder ->
                builder
                    .subject("CN=admin")
                    .addSanUriName(URI.create("spiffe://test/admin"))
                    .addExtendedKeyUsageClientAuth()
                    .notAfter(end));
  }

  @Test
  void connectionIsClosedGracefullyBeforeTheEnd() throws IOException {
    try (RawHttp2 caller = daemon.raw(admin(END)).preface();
        RawHttp2 lasting = daemon.raw("admin").preface()) {
      mac.assertServed(caller, 1);
      mac.assertServed(lasting, 1);
      assertThat(caller.goAways()).isEmpty();
      caller.call(3, KnownMac.PATH);
      clock.advance(UNTIL_LEAD);
      // A second frame, after the answer to a PING, has the last accepted call.
      assertThat(caller.awaitGoAways(2))
          .containsExactly(
              new GoAway(Integer.MAX_VALUE, CertificateEnd.DEBUG_DATA),
              new GoAway(3, CertificateEnd.DEBUG_DATA));
      mac.assertAnswered(caller, 3);
      assertThat(caller.isClosedByPeer()).isTrue();
      mac.assertServed(lasting, 3);
      assertThat(lasting.goAways()).isEmpty();
    }
  }

  @Test
  void callInFlightIsRefusedIfTheCertificateHasEnded() throws IOException {
    try (RawHttp2 caller = daemon.raw(admin(END)).preface()) {
      mac.assertServed(caller, 1);
      caller.call(3, KnownMac.PATH);
      clock.advance(UNTIL_END.plusSeconds(1));
      assertThat(mac.request(caller, 3).withoutText()).isEqualTo(UNAUTHENTICATED);
      assertThat(caller.goAways()).isNotEmpty();
      assertThat(caller.awaitGoAways(2)).hasSize(2);
      assertThat(caller.isClosedByPeer()).isTrue();
    }
  }

  @Test
  void callThatIsNotFinishedEndsAtTheCallTimeLimit() throws IOException {
    try (var quick =
            LoopbackDaemon.withAdmin()
                .ca(daemon.ca())
                .clock(clock)
                .limit("max_call_time: 1s")
                .limit("transfer_timeout: 1h")
                .start();
        RawHttp2 caller = quick.raw(admin(END)).preface()) {
      caller.call(1, "/no/such").data(1);
      assertThat(caller.end(1)).isInstanceOf(End.Answered.class);
      caller.call(3, KnownMac.PATH);
      clock.advance(UNTIL_LEAD);
      assertThat(caller.end(3))
          .isInstanceOfSatisfying(
              End.Answered.class, end -> assertThat(end.code()).isEqualTo(Code.DEADLINE_EXCEEDED));
      // The client does not end its stream.
      assertThat(caller.isClosedByPeer()).isTrue();
    }
  }

  @Test
  void clientReconnectsWithItsRenewedCertificateWithoutAFailedCall() throws Exception {
    var identity = new RenewableIdentity(admin(END));
    Caller client = daemon.as(identity);
    String key = client.createKey(KeySpec.KEY_SPEC_HMAC_256);
    byte[] expected = client.generateMac(key, "hello");
    X509Bundle renewed = daemon.ca().client("admin");
    CompletableFuture<byte[]> call;
    try (var gate = token.blocking(FaultyToken.Call.SIGN)) {
      call = CompletableFuture.supplyAsync(() -> client.generateMac(key, "hello"), OWN_THREAD);
      gate.awaitEntered();
      identity.renew(renewed);
      clock.advance(UNTIL_LEAD);
      Eventually.holds(
          "the client has reconnected with the renewed certificate",
          () -> client.describe(key).getKeyId().equals(key) && identity.isPresented(renewed));
      assertThat(call).isNotDone();
    }
    assertThat(call.get(LONG, TimeUnit.SECONDS)).isEqualTo(expected);
    clock.advance(UNTIL_END);
    assertThat(client.generateMac(key, "hello")).isEqualTo(expected);
  }

  /// The first refusal closes the connection, if the client did not reconnect before the end.
  @Test
  void firstRefusalAfterTheEndClosesTheConnection() throws IOException {
    try (RawHttp2 caller = daemon.raw("admin").preface()) {
      mac.assertServed(caller, 1);
      clock.advance(Duration.ofDays(2)); // The next check by the timer is within an hour.
      assertClosedByARefusal(caller, 3);
    }
  }

  /// The client gets the GOAWAY before the refusal, so its next call uses another connection.
  private void assertClosedByARefusal(RawHttp2 caller, int stream) throws IOException {
    assertThat(mac.request(caller.call(stream, KnownMac.PATH), stream).withoutText())
        .isEqualTo(UNAUTHENTICATED);
    assertThat(caller.goAways())
        .first()
        .isEqualTo(new GoAway(Integer.MAX_VALUE, CertificateEnd.DEBUG_DATA));
    assertThat(caller.awaitGoAways(2).getLast())
        .isEqualTo(new GoAway(stream, CertificateEnd.DEBUG_DATA));
    assertThat(caller.isClosedByPeer()).isTrue();
  }

  @Test
  void firstRefusalAfterARotationOfTheAuthorityClosesTheConnection() throws IOException {
    var next = new TestCa("next");
    daemon.write("ca.pem", daemon.ca().pem() + next.pem());
    daemon.daemon().reloadTls();
    var identity = new RenewableIdentity(daemon.ca().client("admin"));
    Caller client = daemon.as(identity);
    String key = client.createKey(KeySpec.KEY_SPEC_HMAC_256);
    try (RawHttp2 old = daemon.raw("admin").preface();
        RawHttp2 lasting = daemon.raw(next.client("admin")).preface()) {
      mac.assertServed(old, 1);
      mac.assertServed(lasting, 1);
      daemon.write("ca.pem", next.pem());
      daemon.daemon().reloadTls();
      assertClosedByARefusal(old, 3);
      mac.assertServed(lasting, 3);
      assertThat(lasting.goAways()).isEmpty();
    }
    identity.renew(next.client("admin"));
    assertThatThrownBy(() -> client.describe(key))
        .satisfies(failsWith(Code.UNAUTHENTICATED, "UNAUTHENTICATED"));
    assertThat(client.describe(key).getKeyId()).isEqualTo(key);
  }

  /// A new connection would have the same certificate, and would cost a handshake for each call.
  @Test
  void connectionThatNeverHadAnIdentityStaysOpen() throws IOException {
    X509Bundle nameless = daemon.ca().issue(builder -> builder.subject("O=nameless"));
    try (RawHttp2 caller = daemon.raw(nameless).preface()) {
      for (int stream = 1; stream <= 5; stream += 2) {
        assertThat(mac.request(caller.call(stream, KnownMac.PATH), stream).withoutText())
            .isEqualTo(UNAUTHENTICATED);
      }
      assertThat(caller.goAways()).isEmpty();
    }
  }

  @Test
  void connectionOfAUnixSocketStaysOpen() {
    mac.assertServed(socket);
    clock.advance(Duration.ofDays(3650));
    for (int i = 0; i < 3; i++) {
      mac.assertServed(socket);
    }
    assertThat(socket.channel().getState(false)).isEqualTo(ConnectivityState.READY);
  }
}

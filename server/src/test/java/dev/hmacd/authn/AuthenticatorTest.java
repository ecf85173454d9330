package dev.hmacd.authn;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.hmacd.access.Principal;
import dev.hmacd.config.TlsConfig;
import dev.hmacd.http.Headers;
import dev.hmacd.http.Request;
import dev.hmacd.limit.Owner;
import dev.hmacd.sigv4.SdkSigner;
import dev.hmacd.sigv4.SigV4;
import dev.hmacd.sigv4.SigV4Exception;
import dev.hmacd.sigv4.SigningKey;
import dev.hmacd.sigv4.SigningScope;
import dev.hmacd.testing.LogWatch;
import dev.hmacd.testing.SettableClock;
import dev.hmacd.testing.TestCa;
import dev.hmacd.transport.TlsContext;
import io.netty.pkitesting.X509Bundle;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.cert.X509Certificate;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class AuthenticatorTest {
  private static final TestCa AUTHORITY = new TestCa("clients");
  private static final Authentication.Authenticated AUTHENTICATED =
      new Authentication.Authenticated(
          SdkSigner.PRINCIPAL,
          Owner.of("access-key", SdkSigner.PRINCIPAL.name()),
          new VerifiedCredentials.AccessKey(SdkSigner.ACCESS_KEY_ID));

  @TempDir private static Path files;
  private static TlsContext tls;

  private final Instant now = Instant.now().truncatedTo(ChronoUnit.SECONDS);
  private final SettableClock clock = new SettableClock(now);
  private final CompletableFuture<SigningKey> signingKey = new CompletableFuture<>();
  private boolean active = true;
  private final Authenticator authenticator =
      new Authenticator(
          clock,
          new SigV4(SigningScope.kms(SdkSigner.REGION), clock),
          new SigningKeySource() {
            @Override
            public CompletableFuture<SigningKey> find(
                String accessKeyId, String day, long deadlineNanos) {
              return isKnownActive(accessKeyId)
                  ? signingKey
                  : CompletableFuture.failedFuture(SigV4Exception.unknownKey());
            }

            @Override
            public boolean isKnownActive(String accessKeyId) {
              return active && accessKeyId.equals(SdkSigner.ACCESS_KEY_ID);
            }

            @Override
            public CompletableFuture<Boolean> isActive(String accessKeyId) {
              return CompletableFuture.completedFuture(isKnownActive(accessKeyId));
            }
          });

  @BeforeAll
  static void loadTls() throws IOException {
    TestCa.write(AUTHORITY.server(), files.resolve("certificate.pem"), files.resolve("key.pem"));
    tls =
        new TlsContext(
            "grpc.tls",
            new TlsConfig(
                files.resolve("certificate.pem"),
                files.resolve("key.pem"),
                Optional.of(files.resolve("clients.pem"))),
            Clock.systemUTC(),
            "h2");
    trust(AUTHORITY);
  }

  private static void trust(TestCa authority) throws IOException {
    Files.writeString(files.resolve("clients.pem"), authority.pem());
    tls.reload();
  }

  private static ClientCertificate certificate(X509Bundle client) {
    return new ClientCertificate(new X509Certificate[] {client.getCertificate()}, tls, null);
  }

  private Authentication authenticate(Request request) {
    return authenticator.authenticate(new SignedRequest(request, Long.MAX_VALUE));
  }

  private Request signed(String accessKeyId) {
    return new SdkSigner(accessKeyId, SdkSigner.SECRET, now)
        .sign(URI.create("http://localhost/"), Map.of(), new byte[0]);
  }

  private static SigV4Exception.Kind kind(Authentication result) {
    return ((Authentication.InvalidSignature) result).error().kind();
  }

  @Test
  void callerWithoutCredentialsIsRefused() {
    assertThat(authenticator.authenticate(new NoCredentials()))
        .isEqualTo(Authentication.Refused.NO_CREDENTIALS);
  }

  @Test
  void unixPeerIsItsUser() {
    var peer = new UnixPeer(-2);
    assertThat(authenticator.authenticate(peer))
        .isEqualTo(
            new Authentication.Authenticated(
                new Principal("uid:4294967294"), Owner.of("uid", "uid:4294967294"), peer));
    assertThat(authenticator.isCurrent(peer)).isTrue();
  }

  @Test
  void certificateIsValidUntilItsExpiry() {
    ClientCertificate certificate = certificate(AUTHORITY.client("billing"));
    assertThat(authenticator.authenticate(certificate))
        .isEqualTo(
            new Authentication.Authenticated(
                new Principal("spiffe://test/billing"),
                Owner.of("unknown authority", "spiffe://test/billing"),
                certificate));
    assertThat(authenticator.isCurrent(certificate)).isTrue();
    clock.advance(Duration.ofDays(2));
    assertThat(authenticator.isCurrent(certificate)).isFalse();
    assertThat(authenticator.authenticate(certificate))
        .isEqualTo(Authentication.Refused.CERTIFICATE_EXPIRED);
  }

  @Test
  void remainingTimeIsThatOfTheFirstCertificateInThePath() throws IOException {
    X509Bundle client = AUTHORITY.client("billing");
    ClientCertificate certificate = certificate(client);
    Instant end = client.getCertificate().getNotAfter().toInstant();
    assertThat(authenticator.remaining(certificate)).isEqualTo(Duration.between(now, end));
    clock.advance(Duration.ofHours(1));
    assertThat(authenticator.remaining(certificate))
        .isEqualTo(Duration.between(now, end).minusHours(1));
    try {
      trust(new TestCa("other"));
      assertThat(authenticator.remaining(certificate)).isZero();
    } finally {
      trust(AUTHORITY);
    }
    assertThat(authenticator.remaining(certificate)).isPositive();
    clock.advance(Duration.ofDays(2));
    assertThat(authenticator.remaining(certificate)).isZero();
  }

  @Test
  void certificateIsCheckedAgainstThePresentTrust() throws IOException {
    ClientCertificate certificate = certificate(AUTHORITY.client("billing"));
    assertThat(authenticator.authenticate(certificate))
        .isInstanceOf(Authentication.Authenticated.class);
    try {
      trust(new TestCa("other"));
      assertThat(authenticator.isCurrent(certificate)).isFalse();
      assertThat(authenticator.authenticate(certificate))
          .isEqualTo(Authentication.Refused.CERTIFICATE_NOT_TRUSTED);
    } finally {
      trust(AUTHORITY);
    }
    assertThat(authenticator.authenticate(certificate))
        .isInstanceOf(Authentication.Authenticated.class);
  }

  @Test
  void certificateWithoutAPrincipalIsRefused() {
    assertThat(
            authenticator.authenticate(certificate(AUTHORITY.issue(b -> b.subject("O=billing")))))
        .isEqualTo(Authentication.Refused.NO_NAME);
  }

  @Test
  void refusedCertificateIsLoggedWithTheReason() {
    String name = "x".repeat(300);
    try (LogWatch log = LogWatch.start()) {
      for (int i = 0; i < 3; i++) {
        var certificate = certificate(AUTHORITY.issue(b -> b.subject("O=" + name)));
        assertThat(authenticator.authenticate(certificate))
            .isEqualTo(Authentication.Refused.NO_NAME);
      }
      assertThat(log.lines("INFO", "client certificate not accepted", "NO_NAME", "O=xxx"))
          .singleElement()
          .asString()
          .doesNotContain(name);
    }
  }

  @Test
  void connectionWithoutATlsSessionHasNoCredentials() {
    assertThat(ClientCertificate.of(null, tls)).isEqualTo(new NoCredentials());
  }

  @Test
  void signatureIsVerifiedAtOnceIfTheSigningKeyIsAvailable() {
    signingKey.complete(SdkSigner.at(now).key(day()));
    assertThat(authenticate(signed(SdkSigner.ACCESS_KEY_ID))).isEqualTo(AUTHENTICATED);
  }

  @Test
  void accessKeyIsValidWhileItIsActive() {
    assertThat(authenticator.isCurrent(AUTHENTICATED.credentials())).isTrue();
    active = false;
    assertThat(authenticator.isCurrent(AUTHENTICATED.credentials())).isFalse();
  }

  @Test
  void accessKeyThatTheRegistryDoesNotFindIsUnknown() {
    var pending = (PendingAuthentication) authenticate(signed(SdkSigner.ACCESS_KEY_ID));
    signingKey.completeExceptionally(SigV4Exception.unknownKey());
    assertThat(kind(pending.complete())).isEqualTo(SigV4Exception.Kind.UNRECOGNIZED_CLIENT);
  }

  @Test
  void signatureIsVerifiedAfterTheSigningKeyIsDerived() {
    var pending = (PendingAuthentication) authenticate(signed(SdkSigner.ACCESS_KEY_ID));
    var runs = new AtomicInteger();
    pending.whenReady(runs::incrementAndGet, Runnable::run);
    assertThat(runs).hasValue(0);
    signingKey.complete(SdkSigner.at(now).key(day()));
    assertThat(runs).hasValue(1);
    assertThat(pending.complete()).isEqualTo(AUTHENTICATED);
  }

  @Test
  void failureOfTheDerivationPassesThrough() {
    var pending = (PendingAuthentication) authenticate(signed(SdkSigner.ACCESS_KEY_ID));
    var failure = new IllegalStateException("no token");
    signingKey.completeExceptionally(failure);
    assertThatThrownBy(pending::complete).isInstanceOf(CompletionException.class).hasCause(failure);
  }

  @Test
  void invalidSignatureIsRefused() {
    signingKey.complete(SdkSigner.at(now).key("20000101"));
    assertThat(kind(authenticate(signed(SdkSigner.ACCESS_KEY_ID))))
        .isEqualTo(SigV4Exception.Kind.INVALID_SIGNATURE);
  }

  @Test
  void requestWithoutASignatureIsRefused() {
    assertThat(kind(authenticate(Request.of("POST", "/", new Headers(), new byte[0]))))
        .isEqualTo(SigV4Exception.Kind.MISSING_AUTHENTICATION_TOKEN);
  }

  @Test
  void unknownAccessKeyIsRefused() {
    assertThat(kind(authenticate(signed("AKIATESTTESTTEST0002"))))
        .isEqualTo(SigV4Exception.Kind.UNRECOGNIZED_CLIENT);
  }

  private String day() {
    return now.toString().substring(0, 10).replace("-", "");
  }
}

package dev.hmacd.rpc;

import static org.assertj.core.api.Assertions.assertThat;

import dev.hmacd.testing.KnownMac;
import dev.hmacd.testing.LoopbackDaemon;
import dev.hmacd.testing.RawHttp2;
import dev.hmacd.testing.RawHttp2.End;
import dev.hmacd.testing.RenewableIdentity;
import io.grpc.Status.Code;
import io.netty.pkitesting.X509Bundle;
import java.io.IOException;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLSocket;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// A client with a renewed certificate does not resume a TLS session of its old certificate. The
/// client is the JDK's, which resumes each session for which it has a ticket.
final class TlsSessionTest {
  private static final LoopbackDaemon daemon = LoopbackDaemon.withAdmin();
  private static KnownMac mac;

  @BeforeAll
  static void start() {
    daemon.start();
    mac = KnownMac.create(daemon.as("admin"));
  }

  @AfterAll
  static void stop() {
    daemon.close();
  }

  private static RawHttp2 connected(SSLContext context, String version) throws IOException {
    var socket = (SSLSocket) context.getSocketFactory().createSocket("127.0.0.1", daemon.port());
    socket.setEnabledProtocols(new String[] {version});
    return new RawHttp2(socket).preface();
  }

  @ParameterizedTest
  @ValueSource(strings = {"TLSv1.3", "TLSv1.2"})
  void nextConnectionHasTheRenewedCertificate(String version) throws IOException {
    var identity = new RenewableIdentity(daemon.ca().client("admin"));
    SSLContext context = daemon.ca().renewableContext(identity);
    try (RawHttp2 caller = connected(context, version)) {
      mac.assertServed(caller, 1);
    }
    X509Bundle renewed = daemon.ca().client("nobody");
    identity.renew(renewed);
    try (RawHttp2 caller = connected(context, version)) {
      End end = mac.request(caller.call(1, KnownMac.PATH), 1);
      assertThat(end.withoutText())
          .isEqualTo(new End.Answered(Code.PERMISSION_DENIED, "ACCESS_DENIED", ""));
    }
    assertThat(identity.isPresented(renewed)).isTrue();
  }
}

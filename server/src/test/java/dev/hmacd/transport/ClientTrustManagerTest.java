package dev.hmacd.transport;

import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.hmacd.testing.TestCa;
import java.security.cert.CertificateException;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Bound on the search for a path in a certificate chain.
final class ClientTrustManagerTest {
  private static final String MAXIMUM = "the maximum is 6";

  /// The number of certificates that Netty passes on.
  private static final int MAX_OF_NETTY = 10;

  private static final TestCa ROOT = new TestCa("root");

  private final ClientTrustManager trust = new ClientTrustManager(List.of(own(ROOT)), Map.of());

  private static X509Certificate own(TestCa authority) {
    return authority.self().getCertificate();
  }

  private void check(List<X509Certificate> chain) throws CertificateException {
    trust.checkClientTrusted(chain.toArray(X509Certificate[]::new), "EC");
  }

  /// A valid chain with the certificate of the root at its end.
  private static List<X509Certificate> valid(int certificates) {
    TestCa authority = ROOT;
    for (int i = 2; i < certificates; i++) {
      authority = authority.subordinate("below-" + i);
    }
    var chain = new ArrayList<>(Arrays.asList(authority.client("a").getCertificatePath()));
    chain.add(own(ROOT));
    return chain;
  }

  /// A chain without order, whose authorities have other keys than the issuers with their names.
  /// Many paths in it lead to the name of the root.
  private static List<X509Certificate> forged(int certificates) {
    List<X509Certificate> chain = new ArrayList<>();
    chain.add(new TestCa("root").client("a").getCertificate());
    while (chain.size() < certificates) {
      switch (chain.size() % 3) {
        case 1 -> chain.add(own(new TestCa("root").subordinate("other")));
        case 2 -> chain.add(own(new TestCa("other").subordinate("root")));
        default -> chain.add(own(new TestCa("root")));
      }
    }
    return chain;
  }

  @ParameterizedTest
  @ValueSource(ints = {ClientTrustManager.MAX_CHAIN + 1, MAX_OF_NETTY})
  void chainOfTooManyCertificatesIsRefusedWithoutASearch(int certificates) {
    String text = "the chain has " + certificates + " certificates, " + MAXIMUM;
    assertThatThrownBy(() -> check(forged(certificates))).hasMessage(text);
    assertThatThrownBy(() -> check(valid(certificates))).hasMessage(text);
  }

  @Test
  void longestForgedChainIsRefused() {
    assertThatThrownBy(() -> check(forged(ClientTrustManager.MAX_CHAIN)))
        .isInstanceOf(CertificateException.class)
        .hasMessageNotContaining(MAXIMUM);
  }

  @Test
  void longestValidChainIsAcceptedInAnyOrder() {
    List<X509Certificate> chain = valid(ClientTrustManager.MAX_CHAIN);
    assertThatCode(() -> check(chain)).doesNotThrowAnyException();
    Collections.reverse(chain.subList(1, chain.size()));
    assertThatCode(() -> check(chain)).doesNotThrowAnyException();
  }
}

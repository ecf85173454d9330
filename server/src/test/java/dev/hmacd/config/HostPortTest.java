package dev.hmacd.config;

import static org.assertj.core.api.Assertions.assertThat;

import java.net.InetSocketAddress;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class HostPortTest {
  @ParameterizedTest
  @CsvSource({
    "127.0.0.1, 127.0.0.1:8443",
    "0.0.0.0, 0.0.0.0:8443",
    "localhost, localhost:8443",
    "::, [::]:8443",
    "::1, [::1]:8443",
    "2001:db8::5:0:0:2, [2001:db8::5:0:0:2]:8443",
    "2001:db8:1:2:3:4:5:6, [2001:db8:1:2:3:4:5:6]:8443"
  })
  void addressHasTheFormOfTheConfiguration(String host, String text) {
    assertThat(HostPort.text(new InetSocketAddress(host, 8443))).isEqualTo(text);
  }
}

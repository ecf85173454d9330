package sample;

import static org.assertj.core.api.Assertions.assertThat;

import dev.hmacd.client.HmacdClientBuilder;
import dev.hmacd.client.KeySpec;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIfEnvironmentVariable;
import org.springframework.boot.test.context.SpringBootTest;
import org.springframework.boot.test.context.SpringBootTest.WebEnvironment;
import org.springframework.boot.test.web.server.LocalServerPort;
import org.springframework.test.context.DynamicPropertyRegistry;
import org.springframework.test.context.DynamicPropertySource;

/// The application with the daemon of the environment, under a new key.
@EnabledIfEnvironmentVariable(named = "HMACD_TARGET", matches = ".+")
@SpringBootTest(webEnvironment = WebEnvironment.RANDOM_PORT, properties = "hmacd.timeout=1m")
class DaemonTest {
  @DynamicPropertySource
  static void key(DynamicPropertyRegistry properties) {
    String key = createKey();
    properties.add("sample.key", () -> key);
  }

  private static String createKey() {
    try (var hmacd = HmacdClientBuilder.fromEnv().build()) {
      return hmacd.createKey(KeySpec.HMAC_256, "sample of Spring Boot").keyId();
    }
  }

  private final Caller caller;

  DaemonTest(@LocalServerPort int port) {
    this.caller = new Caller(port);
  }

  @Test
  void signedMessageIsVerified() {
    assertThat(caller.verify("hello", caller.sign("hello"))).isEqualTo(204);
  }

  @Test
  void otherMessageIsUnauthorized() {
    assertThat(caller.verify("hello!", caller.sign("hello"))).isEqualTo(401);
  }
}

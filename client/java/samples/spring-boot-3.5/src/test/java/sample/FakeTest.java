package sample;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.hmacd.client.ErrorReason;
import dev.hmacd.client.MacAlgorithm;
import dev.hmacd.client.testing.FakeHmacd;
import dev.hmacd.client.testing.Fault;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.springframework.boot.test.context.SpringBootTest;
import org.springframework.boot.test.context.SpringBootTest.WebEnvironment;
import org.springframework.boot.test.web.server.LocalServerPort;
import org.springframework.test.context.DynamicPropertyRegistry;
import org.springframework.test.context.DynamicPropertySource;

/// The application with a fake of hmacd.
@SpringBootTest(webEnvironment = WebEnvironment.RANDOM_PORT, properties = "hmacd.timeout=2m")
class FakeTest {
  private static final FakeHmacd FAKE =
      FakeHmacd.start()
          .key("alias/webhooks", MacAlgorithm.HMAC_SHA_256, "a test's secret".getBytes(UTF_8));

  @DynamicPropertySource
  static void hmacd(DynamicPropertyRegistry properties) {
    properties.add("hmacd.targets", FAKE::target);
  }

  @AfterAll
  static void close() {
    FAKE.close();
  }

  private final Caller caller;

  FakeTest(@LocalServerPort int port) {
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

  @Test
  void macThatIsNotHexIsABadRequest() {
    assertThat(caller.verify("hello", "not hex")).isEqualTo(400);
  }

  @Test
  void longMessageIsTooLarge() {
    assertThat(caller.verify("a".repeat(65_537), caller.sign("a"))).isEqualTo(413);
  }

  @Test
  void busyTokenIsNotSeen() {
    String mac = caller.sign("hello");
    FAKE.next(2, Fault.error(ErrorReason.TOKEN_BUSY));
    assertThat(caller.verify("hello", mac)).isEqualTo(204);
  }

  @Test
  void outageIsNoVerdict() {
    String mac = caller.sign("hello");
    FAKE.next(1, Fault.errorWithoutRetry(ErrorReason.TOKEN_UNAVAILABLE));
    assertThat(caller.verify("hello", mac)).isEqualTo(503);
  }
}

package dev.hmacd.awskms;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.hmacd.awskms.Cases.Case;
import dev.hmacd.http.Request;
import dev.hmacd.sigv4.SdkSigner;
import dev.hmacd.testing.AwsCaller;
import dev.hmacd.testing.JsonTree;
import dev.hmacd.testing.LoopbackDaemon;
import dev.hmacd.testing.RawHttp1;
import dev.hmacd.testing.SoftHsm;
import java.io.IOException;
import java.net.URI;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import software.amazon.awssdk.services.kms.KmsClient;
import software.amazon.awssdk.services.kms.model.KmsRequest;

/// The test cases of AWS's clients over plain HTTP, with each answer compared in full.
final class CasesTest {
  private static final String NOBODY = "nobody";

  private static final LoopbackDaemon daemon =
      LoopbackDaemon.on(SoftHsm.shared()).awsKms().allowingUserAll("admin");
  private static final Cases cases =
      new Cases()
          .put("run", "wire")
          .put("region", LoopbackDaemon.REGION)
          // Later cases use the account of the first key.
          .put("account", LoopbackDaemon.ACCOUNT)
          .put("nobody", LoopbackDaemon.arn(NOBODY));

  @SuppressWarnings("NullAway.Init") // By start().
  private static RawHttp1 connection;

  @BeforeAll
  static void start() throws IOException {
    daemon.start();
    connection = RawHttp1.to(daemon.awsPort());
  }

  @AfterAll
  static void stop() throws IOException {
    connection.close();
    daemon.close();
  }

  /// The cases run in order: later cases use values of earlier cases.
  @TestFactory
  Stream<DynamicTest> cases() {
    return Cases.onTheWire().map(each -> DynamicTest.dynamicTest(each.name(), () -> run(each)));
  }

  private static void run(Case each) throws IOException {
    RawHttp1.Answer answer = call(each);
    assertThat(answer.headers())
        .containsEntry("content-type", "application/x-amz-json-1.1")
        .containsKeys("x-amzn-requestid", "date");
    if (each.has("error")) {
      assertThat(answer.status()).isEqualTo(400);
      Map<String, ?> error = JsonTree.object(answer.body());
      assertThat(error.get("__type")).isEqualTo(each.text("error"));
      assertThat(error.keySet()).isSubsetOf("__type", "message");
      if (each.has("message")) {
        String wanted = each.get("message") instanceof String text ? cases.fill(text) : null;
        assertThat(error.get("message")).isEqualTo(wanted);
      }
      return;
    }
    assertThat(answer.status()).as(answer.body()).isEqualTo(200);
    Object wanted = each.get("answer");
    if (Map.of().equals(wanted)) {
      assertThat(answer.body()).isEmpty();
      return;
    }
    Object seen = JsonTree.object(answer.body());
    assertThat(cases.differences("", wanted, seen)).isEmpty();
    cases.save(each, seen);
  }

  private static RawHttp1.Answer call(Case each) throws IOException {
    var signer =
        switch (each.has("as") ? each.text("as") : "admin") {
          case "admin" -> signer("admin");
          case NOBODY -> signer(NOBODY);
          case "wrong secret" ->
              new SdkSigner(daemon.accessKey("admin").id(), "not the secret", Instant.now());
          case "unknown access key" -> SdkSigner.at(Instant.now());
          default -> throw new IllegalArgumentException(each.text("as"));
        };
    Request request =
        signer.sign(
            URI.create("http://127.0.0.1:" + daemon.awsPort() + "/"),
            SdkSigner.headers(AwsCaller.headers(each.call())),
            cases.json(each.get("input")).getBytes(UTF_8));
    return connection.write(AwsCaller.bytes(request)).read();
  }

  private static SdkSigner signer(String user) {
    LoopbackDaemon.AccessKey key = daemon.accessKey(user);
    return new SdkSigner(key.id(), key.secret(), Instant.now());
  }

  /// Each operation of AWS's client has a case, so the list of operations is complete.
  @Test
  void everyOperationOfTheAwsClientHasACase() {
    List<String> operations =
        Stream.of(KmsClient.class.getMethods())
            .filter(method -> method.getParameterCount() == 1)
            .filter(method -> KmsRequest.class.isAssignableFrom(method.getParameterTypes()[0]))
            .map(method -> method.getParameterTypes()[0].getSimpleName())
            .map(request -> request.substring(0, request.length() - "Request".length()))
            .distinct()
            .toList();
    assertThat(operations).contains("GenerateMac", "CreateGrant");
    assertThat(Cases.onTheWire().map(Case::call).distinct())
        .containsExactlyInAnyOrderElementsOf(operations);
  }
}

package dev.hmacd.awskms;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.protobuf.ByteString;
import dev.hmacd.access.Action;
import dev.hmacd.testing.AwsCaller;
import dev.hmacd.testing.Caller;
import dev.hmacd.testing.Eventually;
import dev.hmacd.testing.JsonTree;
import dev.hmacd.testing.LoopbackDaemon;
import dev.hmacd.testing.RawHttp1;
import dev.hmacd.testing.Reasons;
import dev.hmacd.testing.SoftHsm;
import dev.hmacd.token.FaultyToken;
import dev.hmacd.usecase.Call;
import dev.hmacd.usecase.CallObserver;
import dev.hmacd.usecase.Edge;
import dev.hmacd.usecase.Outcome;
import dev.hmacd.v1.AccessKeyServiceGrpc;
import dev.hmacd.v1.DisableAccessKeyRequest;
import dev.hmacd.v1.DisableKeyRequest;
import dev.hmacd.v1.GenerateMacRequest;
import dev.hmacd.v1.KeySpec;
import dev.hmacd.v1.MacAlgorithm;
import dev.hmacd.v1.MacServiceGrpc;
import dev.hmacd.v1.VerifyMacRequest;
import io.grpc.Metadata;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// The outcomes of calls, as observers see them, and the release of answers, over both edges.
final class CallOutcomeTest {
  /// The edges to callers, with one call of `GenerateMac` over each.
  enum Way {
    GRPC(Edge.GRPC) {
      @Override
      String generateMac(CallOutcomeTest test, String user, String key, String algorithm) {
        try (Caller caller = test.daemon.as(user)) {
          var _ =
              MacServiceGrpc.newBlockingStub(caller.channel())
                  .generateMac(
                      GenerateMacRequest.newBuilder()
                          .setKeyId(key)
                          .setMessage(ByteString.copyFromUtf8("hello"))
                          .setMacAlgorithm(MacAlgorithm.valueOf("MAC_ALGORITHM_" + algorithm))
                          .build());
          return "OK";
        } catch (StatusRuntimeException e) {
          return Reasons.info(e).getReason();
        }
      }

      @Override
      String verifyWrongMac(CallOutcomeTest test, String key) {
        try (Caller caller = test.daemon.as("admin")) {
          var _ =
              MacServiceGrpc.newBlockingStub(caller.channel())
                  .verifyMac(
                      VerifyMacRequest.newBuilder()
                          .setKeyId(key)
                          .setMessage(ByteString.copyFromUtf8("hello"))
                          .setMac(ByteString.copyFrom(new byte[32]))
                          .setMacAlgorithm(MacAlgorithm.MAC_ALGORITHM_HMAC_SHA_256)
                          .build());
          return "OK";
        } catch (StatusRuntimeException e) {
          return Reasons.info(e).getReason();
        }
      }

      @Override
      AutoCloseable begin(CallOutcomeTest test, String key) {
        Caller caller = test.daemon.as("admin");
        var call =
            MacServiceGrpc.newFutureStub(caller.channel())
                .generateMac(
                    GenerateMacRequest.newBuilder()
                        .setKeyId(key)
                        .setMessage(ByteString.copyFromUtf8("hello"))
                        .setMacAlgorithm(MacAlgorithm.MAC_ALGORITHM_HMAC_SHA_256)
                        .build());
        return () -> {
          boolean _ = call.cancel(true);
          caller.close();
        };
      }
    },

    AWS_KMS(Edge.AWS_KMS) {
      @Override
      String generateMac(CallOutcomeTest test, String user, String key, String algorithm)
          throws IOException {
        try (var caller = new AwsCaller(test.daemon, user)) {
          return code(caller.call("GenerateMac", AwsCaller.macOf(key, "hello", algorithm)));
        }
      }

      @Override
      String verifyWrongMac(CallOutcomeTest test, String key) throws IOException {
        try (var caller = new AwsCaller(test.daemon, "admin")) {
          String mac = "A".repeat(43) + "=";
          return code(
              caller.call(
                  "VerifyMac",
                  "{\"KeyId\":\"%s\",\"Message\":\"aGVsbG8=\",\"Mac\":\"%s\",\"MacAlgorithm\":\"HMAC_SHA_256\"}"
                      .formatted(key, mac)));
        }
      }

      private String code(RawHttp1.Answer answer) {
        if (answer.status() == 200) {
          return "OK";
        }
        Object type = Objects.requireNonNull(JsonTree.object(answer.body()).get("__type"));
        return switch (type.toString()) {
          case "AccessDeniedException" -> "ACCESS_DENIED";
          case "InvalidKeyUsageException" -> "INVALID_KEY_USAGE";
          case "DisabledException" -> "KEY_NOT_USABLE";
          case "KeyUnavailableException" -> "TOKEN_UNAVAILABLE";
          default -> type.toString();
        };
      }

      @Override
      AutoCloseable begin(CallOutcomeTest test, String key) throws IOException {
        try (var signer = new AwsCaller(test.daemon, "admin")) {
          RawHttp1 connection = RawHttp1.to(test.daemon.awsPort());
          return connection.write(signer.bytes("GenerateMac", AwsCaller.macOf(key)));
        }
      }
    };

    private final Edge edge;

    Way(Edge edge) {
      this.edge = edge;
    }

    /// Requests a MAC.
    ///
    /// @return the reason of the outcome that the caller got
    abstract String generateMac(CallOutcomeTest test, String user, String key, String algorithm)
        throws IOException;

    abstract String verifyWrongMac(CallOutcomeTest test, String key) throws IOException;

    /// Sends a request for a MAC.
    ///
    /// @return cancels the call
    abstract AutoCloseable begin(CallOutcomeTest test, String key) throws IOException;
  }

  /// Calls of GenerateMac and VerifyMac, in the order of the events.
  private static final class Recorder implements CallObserver {
    private record Event(String kind, Call call, @Nullable Outcome outcome) {}

    private final List<Event> events = new CopyOnWriteArrayList<>();

    /// Holds up each conclusion until it is open.
    private volatile CountDownLatch gate = new CountDownLatch(0);

    /// Whether each conclusion throws.
    private volatile boolean broken;

    private void add(String kind, Call call, @Nullable Outcome outcome) {
      if (call.method().name().endsWith("Mac")) {
        events.add(new Event(kind, call, outcome));
      }
    }

    @Override
    public void began(Call call) {
      add("began", call, null);
    }

    @Override
    public void concluded(Call call, Outcome outcome) {
      add("concluded", call, outcome);
      if (broken) {
        throw new IllegalStateException("broken");
      }
      try {
        boolean _ = gate.await(Eventually.LIMIT.toSeconds(), TimeUnit.SECONDS);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
    }

    @Override
    public void ended(Call call, Outcome outcome, long nanos) {
      assertThat(nanos).isPositive();
      add("ended", call, outcome);
    }

    /// Requires one call with one outcome.
    Call requireOne(Edge edge, String reason) {
      Eventually.holds("the call has ended", () -> events.size() >= 3);
      assertThat(events).extracting(Event::kind).containsExactly("began", "concluded", "ended");
      assertThat(events).extracting(Event::call).containsOnly(events.getFirst().call());
      assertThat(events.subList(1, 3))
          .extracting(event -> Objects.requireNonNull(event.outcome()).reason())
          .containsOnly(reason);
      Call call = events.getFirst().call();
      assertThat(call.edge()).isEqualTo(edge);
      assertThat(call.requestId()).hasSize(36);
      return call;
    }
  }

  private final Recorder recorder = new Recorder();
  private final FaultyToken token = new FaultyToken(SoftHsm.shared().token());
  private final LoopbackDaemon daemon =
      LoopbackDaemon.on(SoftHsm.shared())
          .allowingAll("admin")
          .allowingUserAll("admin")
          .allowingUserAll("late")
          .awsKms()
          .wrapping(_ -> token)
          .token("probe_interval: 1h")
          .observing(recorder);

  private String key = "";

  @BeforeEach
  void start() throws IOException {
    key = daemon.start().as("admin").createKey(KeySpec.KEY_SPEC_HMAC_256);
    // The first call of an access key also derives its signing key on the token.
    assertThat(Way.AWS_KMS.generateMac(this, "admin", key, "HMAC_SHA_256")).isEqualTo("OK");
    var _ = recorder.requireOne(Edge.AWS_KMS, "OK");
    recorder.events.clear();
  }

  @AfterEach
  void stop() {
    recorder.gate.countDown();
    daemon.close();
  }

  @ParameterizedTest
  @EnumSource
  void answeredCallIsObserved(Way way) throws IOException {
    assertThat(way.generateMac(this, "admin", key, "HMAC_SHA_256")).isEqualTo("OK");
    Call call = recorder.requireOne(way.edge, "OK");
    assertThat(call.method().name()).isEqualTo("GenerateMac");
    assertThat(call.method().action()).contains(Action.GENERATE_MAC);
    assertThat(call.keyName()).contains(key);
    assertThat(call.principal().name()).endsWith("admin");
  }

  @ParameterizedTest
  @EnumSource
  void deniedCallIsObserved(Way way) throws IOException {
    assertThat(way.generateMac(this, "stranger", key, "HMAC_SHA_256")).isEqualTo("ACCESS_DENIED");
    Call call = recorder.requireOne(way.edge, "ACCESS_DENIED");
    assertThat(call.keyName()).contains(key);
    assertThat(call.principal().name()).endsWith("stranger");
  }

  @ParameterizedTest
  @EnumSource
  void refusedCallIsObserved(Way way) throws IOException {
    assertThat(way.generateMac(this, "admin", key, "HMAC_SHA_512")).isEqualTo("INVALID_KEY_USAGE");
    var _ = recorder.requireOne(way.edge, "INVALID_KEY_USAGE");
  }

  @ParameterizedTest
  @EnumSource
  void failedCallIsObserved(Way way) throws IOException {
    token.failing(FaultyToken.Call.SIGN, 20, FaultyToken.CKR_DEVICE_REMOVED);
    assertThat(way.generateMac(this, "admin", key, "HMAC_SHA_256")).isEqualTo("TOKEN_UNAVAILABLE");
    var _ = recorder.requireOne(way.edge, "TOKEN_UNAVAILABLE");
  }

  @ParameterizedTest
  @EnumSource
  void cancelledCallIsObserved(Way way) throws Exception {
    try (var gate = token.blocking(FaultyToken.Call.SIGN)) {
      AutoCloseable call = way.begin(this, key);
      gate.awaitEntered();
      call.close();
      var _ = recorder.requireOne(way.edge, "CANCELLED");
    }
  }

  /// A record of the outcome can precede the answer.
  @ParameterizedTest
  @EnumSource
  void answerIsReleasedAfterItsConclusionWasObserved(Way way) throws Exception {
    var gate = new CountDownLatch(1);
    recorder.gate = gate;
    var answer =
        CompletableFuture.supplyAsync(
            () -> {
              try {
                return way.generateMac(this, "admin", key, "HMAC_SHA_256");
              } catch (IOException e) {
                throw new UncheckedIOException(e);
              }
            });
    Eventually.holds("the call has its outcome", () -> recorder.events.size() == 2);
    assertThat(answer).isNotDone();
    gate.countDown();
    assertThat(answer.get(Eventually.LIMIT.toSeconds(), TimeUnit.SECONDS)).isEqualTo("OK");
  }

  /// If the record of the outcome fails, the caller gets no MAC, and does not wait.
  @Test
  void failedReleaseEndsTheCallOverGrpc() throws IOException {
    recorder.broken = true;
    assertThat(Way.GRPC.generateMac(this, "admin", key, "HMAC_SHA_256")).isEqualTo("INTERNAL");
    recorder.broken = false;
    assertThat(Way.GRPC.generateMac(this, "admin", key, "HMAC_SHA_256")).isEqualTo("OK");
  }

  @Test
  void failedReleaseClosesTheConnectionOfAwsKms() throws IOException {
    try (var signer = new AwsCaller(daemon, "admin");
        RawHttp1 connection = RawHttp1.to(daemon.awsPort())) {
      byte[] request = signer.bytes("GenerateMac", AwsCaller.macOf(key));
      recorder.broken = true;
      connection.write(request);
      assertThat(connection.isEventuallyClosedByPeer()).isTrue();
    }
    recorder.broken = false;
    assertThat(Way.AWS_KMS.generateMac(this, "admin", key, "HMAC_SHA_256")).isEqualTo("OK");
  }

  /// The key is disabled after the token has computed the MAC, and before its release.
  @ParameterizedTest
  @EnumSource
  void macOfAKeyThatWasDisabledMeanwhileIsNotReleased(Way way) throws Exception {
    requireNotReleased(() -> way.generateMac(this, "admin", key, "HMAC_SHA_256"));
  }

  @ParameterizedTest
  @EnumSource
  void comparisonUnderAKeyThatWasDisabledMeanwhileIsNotReleased(Way way) throws Exception {
    requireNotReleased(() -> way.verifyWrongMac(this, key));
  }

  private interface Work {
    String run() throws IOException;
  }

  private void requireNotReleased(Work work) throws Exception {
    try (var gate = token.blockingAnswer(FaultyToken.Call.SIGN);
        Caller admin = daemon.as("admin")) {
      var answer =
          CompletableFuture.supplyAsync(
              () -> {
                try {
                  return work.run();
                } catch (IOException e) {
                  throw new UncheckedIOException(e);
                }
              });
      gate.awaitEntered();
      var _ = admin.keys().disableKey(DisableKeyRequest.newBuilder().setKeyId(key).build());
      gate.release();
      assertThat(answer.get(Eventually.LIMIT.toSeconds(), TimeUnit.SECONDS))
          .isEqualTo("KEY_NOT_USABLE");
    }
  }

  /// The access key is disabled after the token has computed the MAC, and before its release.
  @Test
  void macForAnAccessKeyThatWasDisabledMeanwhileIsNotReleased() throws Exception {
    try (var gate = token.blockingAnswer(FaultyToken.Call.SIGN);
        Caller admin = daemon.as("admin");
        var caller = new AwsCaller(daemon, "admin");
        RawHttp1 connection = RawHttp1.to(daemon.awsPort())) {
      connection.write(caller.bytes("GenerateMac", AwsCaller.macOf(key)));
      gate.awaitEntered();
      var _ =
          AccessKeyServiceGrpc.newBlockingStub(admin.channel())
              .disableAccessKey(
                  DisableAccessKeyRequest.newBuilder()
                      .setAccessKeyId(daemon.accessKey("admin").id())
                      .build());
      gate.release();
      assertThat(connection.read().body()).contains("UnrecognizedClientException");
    }
  }

  /// The token derives the signing key at the first request of an access key.
  @Test
  void accessKeyThatIsDisabledDuringTheDerivationMayDoNothing() throws Exception {
    try (Caller admin = daemon.as("admin");
        var caller = new AwsCaller(daemon, "late");
        RawHttp1 connection = RawHttp1.to(daemon.awsPort())) {
      byte[] request = caller.bytes("DisableKey", "{\"KeyId\":\"%s\"}".formatted(key));
      try (var gate = token.blockingAnswer(FaultyToken.Call.SIGN)) {
        connection.write(request);
        gate.awaitEntered();
        var _ =
            AccessKeyServiceGrpc.newBlockingStub(admin.channel())
                .disableAccessKey(
                    DisableAccessKeyRequest.newBuilder()
                        .setAccessKeyId(daemon.accessKey("late").id())
                        .build());
        gate.release();
        assertThat(connection.read().body()).contains("UnrecognizedClientException");
      }
      assertThat(admin.describe(key).getKeyState().name()).isEqualTo("KEY_STATE_ENABLED");
    }
  }

  /// With pipelining, an answer waits for the answer to the connection's earlier request.
  @Test
  void pipelinedMacOfAKeyThatWasDisabledMeanwhileIsNotReleased() throws Exception {
    try (Caller admin = daemon.as("admin");
        var signer = new AwsCaller(daemon, "admin");
        RawHttp1 connection = RawHttp1.to(daemon.awsPort())) {
      String other = admin.createKey(KeySpec.KEY_SPEC_HMAC_256);
      int signed = token.count(FaultyToken.Call.SIGN);
      try (var gate = token.blockingAnswer(FaultyToken.Call.SIGN)) {
        connection.write(signer.bytes("GenerateMac", AwsCaller.macOf(other)));
        gate.awaitEntered();
        connection.write(signer.bytes("GenerateMac", AwsCaller.macOf(key)));
        Eventually.holds(
            "the second MAC is computed", () -> token.count(FaultyToken.Call.SIGN) >= signed + 2);
        admin.disable(key);
        gate.release();
        assertThat(connection.read().status()).isEqualTo(200);
        assertThat(connection.read().body()).contains("DisabledException");
      }
    }
  }

  @ParameterizedTest
  @EnumSource
  void macOfAKeyThatWasChangedOtherwiseMeanwhileIsReleased(Way way) throws Exception {
    try (var gate = token.blockingAnswer(FaultyToken.Call.SIGN);
        Caller admin = daemon.as("admin")) {
      var answer =
          CompletableFuture.supplyAsync(
              () -> {
                try {
                  return way.generateMac(this, "admin", key, "HMAC_SHA_256");
                } catch (IOException e) {
                  throw new UncheckedIOException(e);
                }
              });
      gate.awaitEntered();
      admin.createAlias("alias/" + SoftHsm.freshLabel("released"), key);
      gate.release();
      assertThat(answer.get(Eventually.LIMIT.toSeconds(), TimeUnit.SECONDS)).isEqualTo("OK");
    }
  }

  /// A caller can name its request to an operator.
  @ParameterizedTest
  @EnumSource(value = Way.class, names = "GRPC")
  void requestIdIsInTheErrorAndInTheTrailer(Way way) {
    try (Caller caller = daemon.as("stranger")) {
      assertThatThrownBy(() -> caller.generateMac(key, "hello"))
          .isInstanceOfSatisfying(
              StatusRuntimeException.class,
              e -> {
                String id = recorder.requireOne(way.edge, "ACCESS_DENIED").requestId();
                assertThat(
                        Objects.requireNonNull(e.getTrailers())
                            .get(Metadata.Key.of("x-request-id", Metadata.ASCII_STRING_MARSHALLER)))
                    .isEqualTo(id);
                assertThat(Reasons.requestId(e)).isEqualTo(id);
              });
    }
  }
}

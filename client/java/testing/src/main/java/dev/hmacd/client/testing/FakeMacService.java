package dev.hmacd.client.testing;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static java.util.concurrent.TimeUnit.NANOSECONDS;

import com.google.protobuf.ByteString;
import dev.hmacd.client.ErrorReason;
import dev.hmacd.v1.GenerateMacRequest;
import dev.hmacd.v1.GenerateMacResponse;
import dev.hmacd.v1.MacAlgorithm;
import dev.hmacd.v1.MacServiceGrpc;
import dev.hmacd.v1.VerifyMacRequest;
import dev.hmacd.v1.VerifyMacResponse;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import java.security.MessageDigest;
import java.util.Map;
import java.util.concurrent.ScheduledExecutorService;
import java.util.function.Supplier;
import java.util.zip.CRC32C;

/// MacService with the checks of the daemon, in its order. Nothing blocks, so that the calls can
/// run in the event loop.
final class FakeMacService extends MacServiceGrpc.MacServiceImplBase {
  /// The default of the daemon's `grpc.limits.max_message_bytes`.
  private static final int MAX_MESSAGE_BYTES = 65_536;

  private static final ByteString RESERVED_PREFIX =
      ByteString.copyFrom("hmacd check value v1\0", US_ASCII);

  private final FakeKeys keys;
  private final Faults faults;
  private final ScheduledExecutorService timer;

  /// @param timer sends the late answers
  FakeMacService(FakeKeys keys, Faults faults, ScheduledExecutorService timer) {
    this.keys = keys;
    this.faults = faults;
    this.timer = timer;
  }

  @Override
  public void generateMac(
      GenerateMacRequest request, StreamObserver<GenerateMacResponse> observer) {
    Fault fault = faults.ofNewAttempt();
    answer(observer, fault, () -> generate(request, fault.damaged()));
  }

  @Override
  public void verifyMac(VerifyMacRequest request, StreamObserver<VerifyMacResponse> observer) {
    Fault fault = faults.ofNewAttempt();
    answer(observer, fault, () -> verify(request, fault.damaged()));
  }

  private <A> void answer(StreamObserver<A> observer, Fault fault, Supplier<A> answer) {
    // With a handler, an answer to a call that has ended is no error.
    ((ServerCallStreamObserver<A>) observer).setOnCancelHandler(() -> {});
    Runnable send = () -> send(observer, fault, answer);
    if (fault.delay().isZero()) {
      send.run();
    } else {
      var unused = timer.schedule(send, fault.delay().toNanos(), NANOSECONDS);
    }
  }

  private static <A> void send(StreamObserver<A> observer, Fault fault, Supplier<A> answer) {
    try {
      if (fault.error().isPresent()) {
        throw fault.error().get().exception();
      }
      observer.onNext(answer.get());
      observer.onCompleted();
    } catch (StatusRuntimeException e) {
      observer.onError(e);
    }
  }

  private GenerateMacResponse generate(GenerateMacRequest request, boolean damaged) {
    checkMessage(request.getMessage());
    if (request.hasMessageCrc32C()) {
      checkSum("message_crc32c", request.getMessageCrc32C(), request.getMessage());
    }
    checkUnserved(request.getGrantTokensCount(), request.hasKeyVersion());
    FakeKey key = key(request.getKeyId(), request.getMacAlgorithm());
    ByteString mac = key.mac(request.getMessage());
    checkDryRun(request.getDryRun());
    return GenerateMacResponse.newBuilder()
        .setKeyId(key.arn())
        .setMac(mac)
        .setMacAlgorithm(request.getMacAlgorithm())
        .setKeyVersion(1)
        .setMacCrc32C(damaged ? ~crc32c(mac) : crc32c(mac))
        .setVerifiedMessageCrc32C(request.hasMessageCrc32C())
        .build();
  }

  private VerifyMacResponse verify(VerifyMacRequest request, boolean damaged) {
    checkMessage(request.getMessage());
    if (request.hasMessageCrc32C()) {
      checkSum("message_crc32c", request.getMessageCrc32C(), request.getMessage());
    }
    if (request.hasMacCrc32C()) {
      checkSum("mac_crc32c", request.getMacCrc32C(), request.getMac());
    }
    checkUnserved(request.getGrantTokensCount(), request.hasKeyVersion());
    FakeKey key = key(request.getKeyId(), request.getMacAlgorithm());
    ByteString mac = key.mac(request.getMessage());
    if (!MessageDigest.isEqual(mac.toByteArray(), request.getMac().toByteArray())) {
      throw DaemonError.of(ErrorReason.KMS_INVALID_MAC).exception();
    }
    checkDryRun(request.getDryRun());
    return VerifyMacResponse.newBuilder()
        .setKeyId(key.arn())
        .setMacValid(true)
        .setMacAlgorithm(request.getMacAlgorithm())
        .setKeyVersion(1)
        .setVerifiedMessageCrc32C(request.hasMessageCrc32C())
        .setVerifiedMacCrc32C(request.hasMacCrc32C() && !damaged)
        .build();
  }

  private static void checkMessage(ByteString message) {
    if (message.isEmpty()) {
      throw DaemonError.of(
              ErrorReason.INVALID_FIELD,
              Map.of("field", "message", "rule", "must have 1 byte or more"))
          .exception();
    }
    if (message.size() > MAX_MESSAGE_BYTES) {
      throw DaemonError.of(
              ErrorReason.MESSAGE_TOO_LONG,
              Map.of(
                  "maximum",
                  Integer.toString(MAX_MESSAGE_BYTES),
                  "given",
                  Integer.toString(message.size())))
          .exception();
    }
    if (message.startsWith(RESERVED_PREFIX)) {
      throw DaemonError.of(ErrorReason.RESERVED_MESSAGE).exception();
    }
  }

  private static void checkSum(String field, int sum, ByteString bytes) {
    if (sum != crc32c(bytes)) {
      throw DaemonError.of(ErrorReason.CHECKSUM_MISMATCH, Map.of("field", field)).exception();
    }
  }

  private static void checkUnserved(int grantTokens, boolean keyVersion) {
    if (grantTokens > 0) {
      throw DaemonError.of(ErrorReason.GRANT_TOKENS_NOT_SUPPORTED).exception();
    }
    if (keyVersion) {
      throw DaemonError.of(ErrorReason.KEY_VERSION_NOT_SUPPORTED).exception();
    }
  }

  private static void checkDryRun(boolean dryRun) {
    if (dryRun) {
      throw DaemonError.of(ErrorReason.DRY_RUN_OPERATION).exception();
    }
  }

  private FakeKey key(String name, MacAlgorithm algorithm) {
    FakeKey key = keys.get(name);
    if (WireTypes.macAlgorithm(key.algorithm()) != algorithm) {
      throw DaemonError.of(
              ErrorReason.INVALID_KEY_USAGE, Map.of("mac_algorithm", algorithm.toString()))
          .exception();
    }
    return key;
  }

  /// CRC32C (Castagnoli, RFC 3720), as a proto `fixed32`.
  private static int crc32c(ByteString bytes) {
    var sum = new CRC32C();
    sum.update(bytes.asReadOnlyByteBuffer());
    return (int) sum.getValue();
  }
}

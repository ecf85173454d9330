package dev.hmacd.client;

import static java.util.concurrent.TimeUnit.SECONDS;

import com.google.errorprone.annotations.CanIgnoreReturnValue;
import com.google.protobuf.Any;
import com.google.protobuf.ByteString;
import com.google.protobuf.Int32Value;
import com.google.protobuf.StringValue;
import com.google.protobuf.Timestamp;
import com.google.rpc.ErrorInfo;
import dev.hmacd.v1.AccessKeyMetadata;
import dev.hmacd.v1.AccessKeyServiceGrpc;
import dev.hmacd.v1.AdoptKeyRequest;
import dev.hmacd.v1.AdoptKeyResponse;
import dev.hmacd.v1.AliasListEntry;
import dev.hmacd.v1.CancelKeyDeletionRequest;
import dev.hmacd.v1.CancelKeyDeletionResponse;
import dev.hmacd.v1.CreateAccessKeyRequest;
import dev.hmacd.v1.CreateAccessKeyResponse;
import dev.hmacd.v1.CreateAliasRequest;
import dev.hmacd.v1.CreateAliasResponse;
import dev.hmacd.v1.CreateKeyRequest;
import dev.hmacd.v1.CreateKeyResponse;
import dev.hmacd.v1.DeleteAccessKeyRequest;
import dev.hmacd.v1.DeleteAccessKeyResponse;
import dev.hmacd.v1.DeleteAliasRequest;
import dev.hmacd.v1.DeleteAliasResponse;
import dev.hmacd.v1.DescribeKeyRequest;
import dev.hmacd.v1.DescribeKeyResponse;
import dev.hmacd.v1.DisableAccessKeyRequest;
import dev.hmacd.v1.DisableAccessKeyResponse;
import dev.hmacd.v1.DisableKeyRequest;
import dev.hmacd.v1.DisableKeyResponse;
import dev.hmacd.v1.EnableKeyRequest;
import dev.hmacd.v1.EnableKeyResponse;
import dev.hmacd.v1.GenerateMacRequest;
import dev.hmacd.v1.GenerateMacResponse;
import dev.hmacd.v1.GenerateRandomRequest;
import dev.hmacd.v1.GenerateRandomResponse;
import dev.hmacd.v1.KeyListEntry;
import dev.hmacd.v1.KeyMetadata;
import dev.hmacd.v1.KeyOrigin;
import dev.hmacd.v1.KeyServiceGrpc;
import dev.hmacd.v1.KeySpec;
import dev.hmacd.v1.KeyState;
import dev.hmacd.v1.ListAccessKeysRequest;
import dev.hmacd.v1.ListAccessKeysResponse;
import dev.hmacd.v1.ListAliasesRequest;
import dev.hmacd.v1.ListAliasesResponse;
import dev.hmacd.v1.ListKeysRequest;
import dev.hmacd.v1.ListKeysResponse;
import dev.hmacd.v1.ListResourceTagsRequest;
import dev.hmacd.v1.ListResourceTagsResponse;
import dev.hmacd.v1.MacAlgorithm;
import dev.hmacd.v1.MacServiceGrpc;
import dev.hmacd.v1.RandomServiceGrpc;
import dev.hmacd.v1.ScheduleKeyDeletionRequest;
import dev.hmacd.v1.ScheduleKeyDeletionResponse;
import dev.hmacd.v1.Tag;
import dev.hmacd.v1.TagResourceRequest;
import dev.hmacd.v1.TagResourceResponse;
import dev.hmacd.v1.TokenObject;
import dev.hmacd.v1.UntagResourceRequest;
import dev.hmacd.v1.UntagResourceResponse;
import dev.hmacd.v1.UpdateAliasRequest;
import dev.hmacd.v1.UpdateAliasResponse;
import dev.hmacd.v1.UpdateKeyDescriptionRequest;
import dev.hmacd.v1.UpdateKeyDescriptionResponse;
import dev.hmacd.v1.VerifyMacRequest;
import dev.hmacd.v1.VerifyMacResponse;
import io.grpc.Attributes;
import io.grpc.Grpc;
import io.grpc.InsecureServerCredentials;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.Server;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.ServerServiceDefinition;
import io.grpc.ServerTransportFilter;
import io.grpc.Status.Code;
import io.grpc.StatusRuntimeException;
import io.grpc.TlsServerCredentials;
import io.grpc.netty.NettyServerBuilder;
import io.grpc.protobuf.ProtoUtils;
import io.grpc.protobuf.StatusProto;
import io.grpc.stub.ServerCalls;
import io.grpc.stub.StreamObserver;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.nio.NioIoHandler;
import io.netty.channel.socket.nio.NioServerDomainSocketChannel;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnixDomainSocketAddress;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.security.cert.Certificate;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.UnaryOperator;
import java.util.stream.IntStream;
import javax.crypto.spec.SecretKeySpec;
import javax.net.ssl.SSLPeerUnverifiedException;
import javax.net.ssl.SSLSession;

/// A fake daemon with hmacd's contract and the real transport. It has software MACs under the key
/// "Jefe" of RFC 4231, a fixed set of keys and aliases, and faults on demand.
public final class FakeDaemon implements AutoCloseable {
  public static final String KEY_ID = "11111111-2222-3333-4444-555555555555";
  public static final String KEY_ARN = "arn:hmacd:kms:local:000000000000:key/" + KEY_ID;
  private static final ByteString HMAC_KEY = ByteString.copyFromUtf8("Jefe");
  private static final int KEYS = 5;

  /// A method of its own: the packaged client has a relocated gRPC, with other types.
  private static final MethodDescriptor<StringValue, Int32Value> HEALTH_CHECK =
      MethodDescriptor.<StringValue, Int32Value>newBuilder()
          .setType(MethodDescriptor.MethodType.UNARY)
          .setFullMethodName("grpc.health.v1.Health/Check")
          .setRequestMarshaller(ProtoUtils.marshaller(StringValue.getDefaultInstance()))
          .setResponseMarshaller(ProtoUtils.marshaller(Int32Value.getDefaultInstance()))
          .build();

  private final Server server;
  private final String target;
  private final List<EventLoopGroup> ownEventLoops;
  private final Queue<String> calls = new ConcurrentLinkedQueue<>();
  private final Queue<StatusRuntimeException> failures = new ConcurrentLinkedQueue<>();
  private final CountDownLatch cancelled = new CountDownLatch(1);
  private final AtomicInteger connections = new AtomicInteger();
  private final Queue<Certificate> peers = new ConcurrentLinkedQueue<>();
  private volatile boolean hanging;
  private volatile UnaryOperator<GenerateMacResponse> macs = UnaryOperator.identity();
  private volatile UnaryOperator<VerifyMacResponse> verifications = UnaryOperator.identity();
  private volatile UnaryOperator<GenerateRandomResponse> randoms = UnaryOperator.identity();
  private volatile UnaryOperator<KeyMetadata> keys = UnaryOperator.identity();
  private volatile UnaryOperator<ListKeysResponse> lists = UnaryOperator.identity();
  private volatile int healthStatus = 1; // SERVING

  private FakeDaemon(NettyServerBuilder builder, String target, List<EventLoopGroup> eventLoops) {
    this.server =
        builder
            .addService(new MacService())
            .addService(new KeyService())
            .addService(new AccessKeyService())
            .addService(new RandomService())
            .addService(health())
            .intercept(new Faults())
            .addTransportFilter(
                new ServerTransportFilter() {
                  @Override
                  public Attributes transportReady(Attributes transport) {
                    connections.incrementAndGet();
                    SSLSession tls = transport.get(Grpc.TRANSPORT_ATTR_SSL_SESSION);
                    if (tls != null) {
                      peers.add(peer(tls));
                    }
                    return transport;
                  }
                })
            .build();
    this.ownEventLoops = eventLoops;
    try {
      server.start();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    this.target = target.isEmpty() ? "127.0.0.1:" + server.getPort() : target;
  }

  /// On a free port of the loopback interface, with mutual TLS.
  public static FakeDaemon overTls(TestPki pki) {
    try {
      return new FakeDaemon(
          NettyServerBuilder.forAddress(
              new InetSocketAddress(InetAddress.getLoopbackAddress(), 0),
              TlsServerCredentials.newBuilder()
                  .keyManager(pki.cert().toFile(), pki.key().toFile())
                  .trustManager(pki.ca().toFile())
                  .clientAuth(TlsServerCredentials.ClientAuth.REQUIRE)
                  .build()),
          "",
          List.of());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  public static FakeDaemon overUnixSocket(Path socket) {
    var eventLoops = new MultiThreadIoEventLoopGroup(1, NioIoHandler.newFactory());
    return new FakeDaemon(
        NettyServerBuilder.forAddress(
                UnixDomainSocketAddress.of(socket), InsecureServerCredentials.create())
            .channelType(NioServerDomainSocketChannel.class)
            .bossEventLoopGroup(eventLoops)
            .workerEventLoopGroup(eventLoops)
            .withChildOption(ChannelOption.SO_KEEPALIVE, null), // which a Unix socket does not have
        "unix:" + socket,
        List.of(eventLoops));
  }

  /// The target for a client.
  public String target() {
    return target;
  }

  /// The methods called so far, in order: `GenerateMac` and so on.
  public List<String> calls() {
    return List.copyOf(calls);
  }

  /// Answers the next `times` calls with an error.
  @CanIgnoreReturnValue
  public FakeDaemon failing(int times, Code code, String reason, String... metadata) {
    for (int i = 0; i < times; i++) {
      failures.add(failure(code, reason, metadata));
    }
    return this;
  }

  /// Answers the next call with an error that forbids a retry.
  public void failingWithoutRetry(Code code, String reason) {
    StatusRuntimeException failure = failure(code, reason);
    Metadata trailers = failure.getTrailers();
    if (trailers != null) {
      trailers.put(
          Metadata.Key.of("grpc-retry-pushback-ms", Metadata.ASCII_STRING_MARSHALLER), "-1");
    }
    failures.add(failure);
  }

  /// Answers the next call with an error, with its trailers.
  void failing(StatusRuntimeException failure) {
    failures.add(failure);
  }

  /// The client certificates of all connections, in order.
  List<Certificate> peers() {
    return List.copyOf(peers);
  }

  /// The number of connections so far.
  int connections() {
    return connections.get();
  }

  /// Does not answer any more calls.
  @CanIgnoreReturnValue
  public FakeDaemon hanging() {
    hanging = true;
    return this;
  }

  /// Waits until a call that hangs is cancelled.
  boolean awaitCancelled() throws InterruptedException {
    return cancelled.await(120, SECONDS);
  }

  /// Changes the answers of GenerateMac in transit.
  void changingMacs(UnaryOperator<GenerateMacResponse> change) {
    macs = change;
  }

  /// Changes the answers of VerifyMac in transit.
  void changingVerifications(UnaryOperator<VerifyMacResponse> change) {
    verifications = change;
  }

  /// Changes the answers of DescribeKey in transit.
  void changingKeys(UnaryOperator<KeyMetadata> change) {
    keys = change;
  }

  /// Changes the answers of ListKeys in transit.
  void changingLists(UnaryOperator<ListKeysResponse> change) {
    lists = change;
  }

  /// Changes the answers of GenerateRandom in transit.
  void changingRandoms(UnaryOperator<GenerateRandomResponse> change) {
    randoms = change;
  }

  /// Changes the health status: 0 is UNKNOWN, 1 SERVING, 2 NOT_SERVING.
  public void health(int status) {
    healthStatus = status;
  }

  @Override
  public void close() {
    server.shutdownNow();
    try {
      server.awaitTermination(120, SECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    ownEventLoops.forEach(group -> group.shutdownGracefully(0, 1, SECONDS).awaitUninterruptibly());
  }

  private static Certificate peer(SSLSession tls) {
    try {
      return tls.getPeerCertificates()[0];
    } catch (SSLPeerUnverifiedException e) {
      throw new AssertionError(e);
    }
  }

  private static StatusRuntimeException failure(Code code, String reason, String... metadata) {
    var info = ErrorInfo.newBuilder().setDomain("hmacd.dev").setReason(reason);
    for (int i = 0; i < metadata.length; i += 2) {
      info.putMetadata(metadata[i], metadata[i + 1]);
    }
    return StatusProto.toStatusRuntimeException(
        com.google.rpc.Status.newBuilder()
            .setCode(code.value())
            .setMessage("a fake's " + reason)
            .addDetails(Any.pack(info.build()))
            .build());
  }

  private static ByteString mac(ByteString message) {
    try {
      var mac = javax.crypto.Mac.getInstance("HmacSHA256");
      mac.init(new SecretKeySpec(HMAC_KEY.toByteArray(), "HmacSHA256"));
      return ByteString.copyFrom(mac.doFinal(message.toByteArray()));
    } catch (GeneralSecurityException e) {
      throw new AssertionError(e);
    }
  }

  private static int crc32c(ByteString bytes) {
    var sum = new java.util.zip.CRC32C();
    sum.update(bytes.toByteArray());
    return (int) sum.getValue();
  }

  private static void checkSum(boolean set, int sum, ByteString bytes, String field) {
    if (set && sum != crc32c(bytes)) {
      throw failure(Code.INVALID_ARGUMENT, "CHECKSUM_MISMATCH", "field", field);
    }
  }

  private static void checkDryRun(boolean dryRun) {
    if (dryRun) {
      throw failure(Code.FAILED_PRECONDITION, "DRY_RUN_OPERATION");
    }
  }

  private static void checkKey(String keyId) {
    if (!List.of(KEY_ID, KEY_ARN, "alias/orders").contains(keyId)) {
      throw failure(Code.NOT_FOUND, "KEY_NOT_FOUND", "key_id", keyId);
    }
  }

  private static void checkNoAlias(String field, String keyId) {
    if (keyId.contains("alias/")) {
      throw failure(Code.INVALID_ARGUMENT, "INVALID_KEY_ID", "field", field);
    }
  }

  private ServerServiceDefinition health() {
    return ServerServiceDefinition.builder("grpc.health.v1.Health")
        .addMethod(
            HEALTH_CHECK,
            ServerCalls.asyncUnaryCall(
                (StringValue service, StreamObserver<Int32Value> observer) -> {
                  if (!List.of("", "hmacd.v1.MacService").contains(service.getValue())) {
                    throw failure(Code.NOT_FOUND, "SERVICE_NOT_FOUND");
                  }
                  answer(observer, Int32Value.of(healthStatus));
                }))
        .build();
  }

  private static void checkGrantTokens(List<String> grantTokens) {
    if (!grantTokens.isEmpty()) {
      throw failure(Code.UNIMPLEMENTED, "GRANT_TOKENS_NOT_SUPPORTED");
    }
  }

  private static KeyMetadata.Builder key() {
    return KeyMetadata.newBuilder()
        .setKeyId(KEY_ID)
        .setKeyArn(KEY_ARN)
        .setCreationTime(Timestamp.newBuilder().setSeconds(1_700_000_000).setNanos(250_000_000))
        .setDescription("orders \"v1\"")
        .setKeyState(KeyState.KEY_STATE_ENABLED)
        .setKeySpec(KeySpec.KEY_SPEC_HMAC_256)
        .addMacAlgorithms(MacAlgorithm.MAC_ALGORITHM_HMAC_SHA_256)
        .setOrigin(KeyOrigin.KEY_ORIGIN_GENERATED)
        .setCurrentKeyVersion(1)
        .setTokenObject(
            TokenObject.newBuilder()
                .setTokenSerial("serial")
                .setLabel("hmacd:orders")
                .setId(ByteString.fromHex("c0ffee"))
                .setSensitive(true)
                .setExtractable(false)
                .setAlwaysSensitive(true)
                .setNeverExtractable(true)
                .setKeyBytes(32)
                .addOtherTokenSerials("second"));
  }

  private static String keyId(int index) {
    return KEY_ID.substring(0, KEY_ID.length() - 1) + index;
  }

  private static <A> void answer(StreamObserver<A> observer, A answer) {
    observer.onNext(answer);
    observer.onCompleted();
  }

  private final class MacService extends MacServiceGrpc.MacServiceImplBase {
    @Override
    public void generateMac(
        GenerateMacRequest request, StreamObserver<GenerateMacResponse> observer) {
      checkGrantTokens(request.getGrantTokensList());
      checkSum(
          request.hasMessageCrc32C(),
          request.getMessageCrc32C(),
          request.getMessage(),
          "message_crc32c");
      checkKey(request.getKeyId());
      checkDryRun(request.getDryRun());
      ByteString mac = mac(request.getMessage());
      answer(
          observer,
          macs.apply(
              GenerateMacResponse.newBuilder()
                  .setKeyId(KEY_ARN)
                  .setMac(mac)
                  .setMacAlgorithm(request.getMacAlgorithm())
                  .setKeyVersion(1)
                  .setMacCrc32C(crc32c(mac))
                  .setVerifiedMessageCrc32C(request.hasMessageCrc32C())
                  .build()));
    }

    @Override
    public void verifyMac(VerifyMacRequest request, StreamObserver<VerifyMacResponse> observer) {
      checkGrantTokens(request.getGrantTokensList());
      checkSum(
          request.hasMessageCrc32C(),
          request.getMessageCrc32C(),
          request.getMessage(),
          "message_crc32c");
      checkSum(request.hasMacCrc32C(), request.getMacCrc32C(), request.getMac(), "mac_crc32c");
      checkKey(request.getKeyId());
      if (!MessageDigest.isEqual(
          mac(request.getMessage()).toByteArray(), request.getMac().toByteArray())) {
        throw failure(Code.INVALID_ARGUMENT, "KMS_INVALID_MAC");
      }
      checkDryRun(request.getDryRun());
      answer(
          observer,
          verifications.apply(
              VerifyMacResponse.newBuilder()
                  .setKeyId(KEY_ARN)
                  .setMacValid(true)
                  .setMacAlgorithm(request.getMacAlgorithm())
                  .setKeyVersion(1)
                  .setVerifiedMessageCrc32C(request.hasMessageCrc32C())
                  .setVerifiedMacCrc32C(request.hasMacCrc32C())
                  .build()));
    }
  }

  private final class KeyService extends KeyServiceGrpc.KeyServiceImplBase {
    @Override
    public void createKey(CreateKeyRequest request, StreamObserver<CreateKeyResponse> observer) {
      answer(
          observer,
          CreateKeyResponse.newBuilder()
              .setKeyMetadata(
                  key()
                      .setKeySpec(request.getKeySpec())
                      .setDescription(
                          request.getTagsCount() == 0
                              ? request.getDescription()
                              : request.getTagsCount() + " tags")
                      .setTokenObject(
                          key().getTokenObject().toBuilder()
                              .setTokenSerial(
                                  request.hasTokenSerial()
                                      ? request.getTokenSerial()
                                      : key().getTokenObject().getTokenSerial())))
              .build());
    }

    @Override
    public void adoptKey(AdoptKeyRequest request, StreamObserver<AdoptKeyResponse> observer) {
      KeyMetadata.Builder key =
          key()
              .setOrigin(KeyOrigin.KEY_ORIGIN_ADOPTED)
              .setKeySpec(request.getKeySpec())
              .setDescription(request.getDescription());
      if (request.hasObjectLabel()) {
        key.getTokenObjectBuilder().setLabel(request.getObjectLabel());
      } else {
        key.getTokenObjectBuilder().setId(request.getObjectId());
      }
      answer(observer, AdoptKeyResponse.newBuilder().setKeyMetadata(key).build());
    }

    @Override
    public void describeKey(
        DescribeKeyRequest request, StreamObserver<DescribeKeyResponse> observer) {
      checkGrantTokens(request.getGrantTokensList());
      checkKey(request.getKeyId());
      answer(
          observer,
          DescribeKeyResponse.newBuilder().setKeyMetadata(keys.apply(key().build())).build());
    }

    @Override
    public void listKeys(ListKeysRequest request, StreamObserver<ListKeysResponse> observer) {
      int from = request.getPageToken().isEmpty() ? 0 : Integer.parseInt(request.getPageToken());
      int to = Math.min(KEYS, from + (request.getPageSize() == 0 ? 2 : request.getPageSize()));
      var answer = ListKeysResponse.newBuilder().setNextPageToken(to < KEYS ? "" + to : "");
      IntStream.range(from, to)
          .forEach(
              index ->
                  answer.addKeys(
                      KeyListEntry.newBuilder()
                          .setKeyId(keyId(index))
                          .setKeyArn("arn:hmacd:kms:local:000000000000:key/" + keyId(index))));
      answer(observer, lists.apply(answer.build()));
    }

    @Override
    public void enableKey(EnableKeyRequest request, StreamObserver<EnableKeyResponse> observer) {
      checkNoAlias("key_id", request.getKeyId());
      answer(observer, EnableKeyResponse.newBuilder().setKeyMetadata(key()).build());
    }

    @Override
    public void disableKey(DisableKeyRequest request, StreamObserver<DisableKeyResponse> observer) {
      checkNoAlias("key_id", request.getKeyId());
      answer(
          observer,
          DisableKeyResponse.newBuilder()
              .setKeyMetadata(key().setKeyState(KeyState.KEY_STATE_DISABLED))
              .build());
    }

    @Override
    public void scheduleKeyDeletion(
        ScheduleKeyDeletionRequest request, StreamObserver<ScheduleKeyDeletionResponse> observer) {
      checkNoAlias("key_id", request.getKeyId());
      answer(
          observer,
          ScheduleKeyDeletionResponse.newBuilder()
              .setKeyMetadata(
                  key()
                      .setKeyState(KeyState.KEY_STATE_PENDING_DELETION)
                      .setDeletionTime(
                          Timestamp.newBuilder()
                              .setSeconds(request.getPendingWindowInDays() * 86_400L)))
              .build());
    }

    @Override
    public void cancelKeyDeletion(
        CancelKeyDeletionRequest request, StreamObserver<CancelKeyDeletionResponse> observer) {
      answer(
          observer,
          CancelKeyDeletionResponse.newBuilder()
              .setKeyMetadata(key().setKeyState(KeyState.KEY_STATE_DISABLED))
              .build());
    }

    @Override
    public void updateKeyDescription(
        UpdateKeyDescriptionRequest request,
        StreamObserver<UpdateKeyDescriptionResponse> observer) {
      answer(
          observer,
          UpdateKeyDescriptionResponse.newBuilder()
              .setKeyMetadata(key().setDescription(request.getDescription()))
              .build());
    }

    private final List<Tag> tags = new CopyOnWriteArrayList<>();

    @Override
    public void tagResource(
        TagResourceRequest request, StreamObserver<TagResourceResponse> observer) {
      checkNoAlias("key_id", request.getKeyId());
      tags.addAll(request.getTagsList());
      answer(observer, TagResourceResponse.getDefaultInstance());
    }

    @Override
    public void untagResource(
        UntagResourceRequest request, StreamObserver<UntagResourceResponse> observer) {
      tags.removeIf(tag -> request.getTagKeysList().contains(tag.getTagKey()));
      answer(observer, UntagResourceResponse.getDefaultInstance());
    }

    @Override
    public void listResourceTags(
        ListResourceTagsRequest request, StreamObserver<ListResourceTagsResponse> observer) {
      answer(observer, ListResourceTagsResponse.newBuilder().addAllTags(tags).build());
    }

    @Override
    public void createAlias(
        CreateAliasRequest request, StreamObserver<CreateAliasResponse> observer) {
      checkNoAlias("target_key_id", request.getTargetKeyId());
      if (request.getAliasName().equals("alias/orders")) {
        throw failure(Code.ALREADY_EXISTS, "ALIAS_ALREADY_EXISTS", "alias_name", "alias/orders");
      }
      answer(observer, CreateAliasResponse.getDefaultInstance());
    }

    @Override
    public void updateAlias(
        UpdateAliasRequest request, StreamObserver<UpdateAliasResponse> observer) {
      checkAlias(request.getAliasName());
      answer(observer, UpdateAliasResponse.getDefaultInstance());
    }

    @Override
    public void deleteAlias(
        DeleteAliasRequest request, StreamObserver<DeleteAliasResponse> observer) {
      checkAlias(request.getAliasName());
      answer(observer, DeleteAliasResponse.getDefaultInstance());
    }

    @Override
    public void listAliases(
        ListAliasesRequest request, StreamObserver<ListAliasesResponse> observer) {
      answer(
          observer,
          ListAliasesResponse.newBuilder()
              .addAliases(
                  AliasListEntry.newBuilder()
                      .setAliasName("alias/orders")
                      .setAliasArn("arn:hmacd:kms:local:000000000000:alias/orders")
                      .setTargetKeyId(request.getKeyId().isEmpty() ? KEY_ID : request.getKeyId())
                      .setCreationTime(Timestamp.newBuilder().setSeconds(1_700_000_000))
                      .setLastUpdatedTime(Timestamp.newBuilder().setSeconds(1_700_000_001)))
              .build());
    }

    private static void checkAlias(String name) {
      if (!name.equals("alias/orders")) {
        throw failure(Code.NOT_FOUND, "ALIAS_NOT_FOUND", "alias_name", name);
      }
    }
  }

  /// Counts calls, and ends each with the next configured failure or the failure of the service.
  private final class Faults implements ServerInterceptor {
    @Override
    public <Q, A> ServerCall.Listener<Q> interceptCall(
        ServerCall<Q, A> call, Metadata headers, ServerCallHandler<Q, A> next) {
      calls.add(String.valueOf(call.getMethodDescriptor().getBareMethodName()));
      if (hanging) {
        return new ServerCall.Listener<Q>() {
          @Override
          public void onCancel() {
            cancelled.countDown();
          }
        };
      }
      StatusRuntimeException due = failures.poll();
      if (due != null) {
        end(call, due);
        return new ServerCall.Listener<Q>() {};
      }
      return new io.grpc.ForwardingServerCallListener.SimpleForwardingServerCallListener<Q>(
          next.startCall(call, headers)) {
        @Override
        public void onHalfClose() {
          try {
            super.onHalfClose();
          } catch (StatusRuntimeException e) {
            end(call, e);
          }
        }
      };
    }

    private static void end(ServerCall<?, ?> call, StatusRuntimeException failure) {
      Metadata trailers = failure.getTrailers();
      call.close(failure.getStatus(), trailers == null ? new Metadata() : trailers);
    }
  }

  private final class RandomService extends RandomServiceGrpc.RandomServiceImplBase {
    @Override
    public void generateRandom(
        GenerateRandomRequest request, StreamObserver<GenerateRandomResponse> observer) {
      int count = request.getNumberOfBytes();
      if (count < 1 || count > 1024) {
        throw failure(Code.INVALID_ARGUMENT, "INVALID_FIELD", "field", "number_of_bytes");
      }
      byte[] bytes = new byte[count];
      for (int i = 0; i < count; i++) {
        bytes[i] = (byte) i;
      }
      ByteString plaintext = ByteString.copyFrom(bytes);
      answer(
          observer,
          randoms.apply(
              GenerateRandomResponse.newBuilder()
                  .setPlaintext(plaintext)
                  .setPlaintextCrc32C(crc32c(plaintext))
                  .build()));
    }
  }

  private static final class AccessKeyService
      extends AccessKeyServiceGrpc.AccessKeyServiceImplBase {
    private final List<AccessKeyMetadata> keys = new CopyOnWriteArrayList<>();

    @Override
    public void createAccessKey(
        CreateAccessKeyRequest request, StreamObserver<CreateAccessKeyResponse> observer) {
      var key =
          AccessKeyMetadata.newBuilder()
              .setAccessKeyId("HMAKAAAAAAAAAAAAAAAA")
              .setPrincipal(request.getPrincipal())
              .setActive(true)
              .build();
      keys.add(key);
      answer(
          observer,
          CreateAccessKeyResponse.newBuilder()
              .setAccessKey(key)
              .setSecretAccessKey("secret")
              .build());
    }

    @Override
    public void listAccessKeys(
        ListAccessKeysRequest request, StreamObserver<ListAccessKeysResponse> observer) {
      answer(observer, ListAccessKeysResponse.newBuilder().addAllAccessKeys(keys).build());
    }

    @Override
    public void disableAccessKey(
        DisableAccessKeyRequest request, StreamObserver<DisableAccessKeyResponse> observer) {
      keys.replaceAll(key -> key.toBuilder().setActive(false).build());
      answer(observer, DisableAccessKeyResponse.getDefaultInstance());
    }

    @Override
    public void deleteAccessKey(
        DeleteAccessKeyRequest request, StreamObserver<DeleteAccessKeyResponse> observer) {
      keys.removeIf(key -> key.getAccessKeyId().equals(request.getAccessKeyId()));
      answer(observer, DeleteAccessKeyResponse.getDefaultInstance());
    }
  }
}

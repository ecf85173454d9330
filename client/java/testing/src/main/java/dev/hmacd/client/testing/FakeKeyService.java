package dev.hmacd.client.testing;

import dev.hmacd.v1.DescribeKeyRequest;
import dev.hmacd.v1.DescribeKeyResponse;
import dev.hmacd.v1.KeyMetadata;
import dev.hmacd.v1.KeyOrigin;
import dev.hmacd.v1.KeyServiceGrpc;
import dev.hmacd.v1.KeyState;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.StreamObserver;

/// DescribeKey, which `HmacdClient.openKey` calls. The other methods of KeyService are
/// `UNIMPLEMENTED`.
final class FakeKeyService extends KeyServiceGrpc.KeyServiceImplBase {
  private final FakeKeys keys;

  FakeKeyService(FakeKeys keys) {
    this.keys = keys;
  }

  @Override
  public void describeKey(
      DescribeKeyRequest request, StreamObserver<DescribeKeyResponse> observer) {
    try {
      FakeKey key = keys.get(request.getKeyId());
      observer.onNext(DescribeKeyResponse.newBuilder().setKeyMetadata(metadata(key)).build());
      observer.onCompleted();
    } catch (StatusRuntimeException e) {
      observer.onError(e);
    }
  }

  private static KeyMetadata metadata(FakeKey key) {
    return KeyMetadata.newBuilder()
        .setKeyId(key.id())
        .setKeyArn(key.arn())
        .setKeyState(KeyState.KEY_STATE_ENABLED)
        .setKeySpec(WireTypes.keySpec(key.algorithm()))
        .addMacAlgorithms(WireTypes.macAlgorithm(key.algorithm()))
        .setOrigin(KeyOrigin.KEY_ORIGIN_GENERATED)
        .setCurrentKeyVersion(1)
        .build();
  }
}

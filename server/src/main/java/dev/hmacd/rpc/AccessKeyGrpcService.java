package dev.hmacd.rpc;

import com.google.protobuf.UnsafeByteOperations;
import dev.hmacd.usecase.AccessKeyService;
import dev.hmacd.usecase.Call;
import dev.hmacd.usecase.PageRequest;
import dev.hmacd.usecase.PagedList;
import dev.hmacd.v1.AccessKeyServiceGrpc;
import dev.hmacd.v1.CreateAccessKeyRequest;
import dev.hmacd.v1.CreateAccessKeyResponse;
import dev.hmacd.v1.DeleteAccessKeyRequest;
import dev.hmacd.v1.DeleteAccessKeyResponse;
import dev.hmacd.v1.DisableAccessKeyRequest;
import dev.hmacd.v1.DisableAccessKeyResponse;
import dev.hmacd.v1.ListAccessKeysRequest;
import dev.hmacd.v1.ListAccessKeysResponse;
import io.grpc.ServerServiceDefinition;

/// Serves `hmacd.v1.AccessKeyService`: passes each request to its use case, and encodes the result.
final class AccessKeyGrpcService {
  private final AccessKeyService accessKeys;

  AccessKeyGrpcService(AccessKeyService accessKeys) {
    this.accessKeys = accessKeys;
  }

  ServerServiceDefinition definition(CallStarter starter) {
    return new ServiceBuilder(AccessKeyServiceGrpc.getServiceDescriptor(), starter)
        .add(
            ZeroizingStream.responses(AccessKeyServiceGrpc.getCreateAccessKeyMethod()),
            CreateAccessKeyRequest.getDefaultInstance(),
            this::createAccessKey)
        .add(
            AccessKeyServiceGrpc.getListAccessKeysMethod(),
            ListAccessKeysRequest.getDefaultInstance(),
            this::listAccessKeys)
        .add(
            AccessKeyServiceGrpc.getDisableAccessKeyMethod(),
            DisableAccessKeyRequest.getDefaultInstance(),
            this::disableAccessKey)
        .add(
            AccessKeyServiceGrpc.getDeleteAccessKeyMethod(),
            DeleteAccessKeyRequest.getDefaultInstance(),
            this::deleteAccessKey)
        .build();
  }

  private void createAccessKey(
      Call call, CreateAccessKeyRequest request, GrpcReply<CreateAccessKeyResponse> reply) {
    accessKeys.createAccessKey(
        call,
        request.getPrincipal(),
        reply.encodingAtOnce(
            made ->
                CreateAccessKeyResponse.newBuilder()
                    .setAccessKey(ProtoConverter.accessKey(made.key()))
                    .setSecretAccessKeyBytes(UnsafeByteOperations.unsafeWrap(made.secretText()))
                    .build()));
  }

  private void listAccessKeys(
      Call call, ListAccessKeysRequest request, GrpcReply<ListAccessKeysResponse> reply) {
    accessKeys.listAccessKeys(
        call,
        PageRequest.of(PagedList.ACCESS_KEYS, "", request.getPageSize(), request.getPageToken()),
        reply.encoding(
            page -> {
              var response = ListAccessKeysResponse.newBuilder();
              page.items().forEach(key -> response.addAccessKeys(ProtoConverter.accessKey(key)));
              page.nextToken().ifPresent(response::setNextPageToken);
              return response.build();
            }));
  }

  private void disableAccessKey(
      Call call, DisableAccessKeyRequest request, GrpcReply<DisableAccessKeyResponse> reply) {
    accessKeys.disableAccessKey(
        call,
        request.getAccessKeyId(),
        reply.encoding(_ -> DisableAccessKeyResponse.getDefaultInstance()));
  }

  private void deleteAccessKey(
      Call call, DeleteAccessKeyRequest request, GrpcReply<DeleteAccessKeyResponse> reply) {
    accessKeys.deleteAccessKey(
        call,
        request.getAccessKeyId(),
        reply.encoding(_ -> DeleteAccessKeyResponse.getDefaultInstance()));
  }
}

package dev.hmacd.rpc;

import com.google.protobuf.UnsafeByteOperations;
import dev.hmacd.usecase.AccessKeyService;
import dev.hmacd.usecase.Call;
import dev.hmacd.usecase.FieldValidation;
import dev.hmacd.usecase.PageRequest;
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

/// Converts `hmacd.v1.AccessKeyService` from protobuf to the use cases and back.
final class AccessKeyGrpcService {
  private final AccessKeyService accessKeys;

  AccessKeyGrpcService(AccessKeyService accessKeys) {
    this.accessKeys = accessKeys;
  }

  ServerServiceDefinition definition(UnaryMethod.Setting setting) {
    return new ServiceBuilder(AccessKeyServiceGrpc.getServiceDescriptor(), setting)
        .add(
            Cleared.responses(AccessKeyServiceGrpc.getCreateAccessKeyMethod()),
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
      Call call, CreateAccessKeyRequest request, Answer<CreateAccessKeyResponse> answer) {
    accessKeys.createAccessKey(
        call,
        request.getPrincipal(),
        answer.atOnceFrom(
            made ->
                CreateAccessKeyResponse.newBuilder()
                    .setAccessKey(Values.accessKey(made.key()))
                    .setSecretAccessKeyBytes(UnsafeByteOperations.unsafeWrap(made.secretText()))
                    .build()));
  }

  private void listAccessKeys(
      Call call, ListAccessKeysRequest request, Answer<ListAccessKeysResponse> answer) {
    accessKeys.listAccessKeys(
        call,
        PageRequest.of("access keys", request.getPageSize(), 100, 1000, request.getPageToken()),
        answer.from(
            page -> {
              var response = ListAccessKeysResponse.newBuilder();
              page.items().forEach(key -> response.addAccessKeys(Values.accessKey(key)));
              page.nextToken().ifPresent(response::setNextPageToken);
              return response.build();
            }));
  }

  private void disableAccessKey(
      Call call, DisableAccessKeyRequest request, Answer<DisableAccessKeyResponse> answer) {
    accessKeys.disableAccessKey(
        call,
        id(request.getAccessKeyId()),
        answer.from(_ -> DisableAccessKeyResponse.getDefaultInstance()));
  }

  private void deleteAccessKey(
      Call call, DeleteAccessKeyRequest request, Answer<DeleteAccessKeyResponse> answer) {
    accessKeys.deleteAccessKey(
        call,
        id(request.getAccessKeyId()),
        answer.from(_ -> DeleteAccessKeyResponse.getDefaultInstance()));
  }

  private static String id(String given) {
    FieldValidation.text("access_key_id", given, 1, 128);
    return given;
  }
}

package dev.hmacd.rpc;

import dev.hmacd.mac.Caller;
import dev.hmacd.mac.Failure;
import dev.hmacd.mac.KeyService;
import dev.hmacd.mac.PageRequest;
import dev.hmacd.mac.Refusal;
import dev.hmacd.token.TokenSession.Query;
import dev.hmacd.v1.AdoptKeyRequest;
import dev.hmacd.v1.AdoptKeyResponse;
import dev.hmacd.v1.CreateAliasRequest;
import dev.hmacd.v1.CreateAliasResponse;
import dev.hmacd.v1.CreateKeyRequest;
import dev.hmacd.v1.CreateKeyResponse;
import dev.hmacd.v1.DeleteAliasRequest;
import dev.hmacd.v1.DeleteAliasResponse;
import dev.hmacd.v1.DescribeKeyRequest;
import dev.hmacd.v1.DescribeKeyResponse;
import dev.hmacd.v1.KeyListEntry;
import dev.hmacd.v1.KeyServiceGrpc;
import dev.hmacd.v1.ListAliasesRequest;
import dev.hmacd.v1.ListAliasesResponse;
import dev.hmacd.v1.ListKeysRequest;
import dev.hmacd.v1.ListKeysResponse;
import dev.hmacd.v1.UpdateAliasRequest;
import dev.hmacd.v1.UpdateAliasResponse;
import io.grpc.ServerServiceDefinition;
import java.util.HexFormat;

/// `hmacd.v1.KeyService`: protobuf to the use cases and back.
final class KeyGrpcService {
  private final KeyService keys;

  KeyGrpcService(KeyService keys) {
    this.keys = keys;
  }

  ServerServiceDefinition definition(UnaryMethod.Setting setting) {
    return new ServiceBuilder(KeyServiceGrpc.getServiceDescriptor(), setting)
        .add(
            KeyServiceGrpc.getCreateKeyMethod(),
            CreateKeyRequest.getDefaultInstance(),
            this::createKey)
        .add(
            KeyServiceGrpc.getAdoptKeyMethod(),
            AdoptKeyRequest.getDefaultInstance(),
            this::adoptKey)
        .add(
            KeyServiceGrpc.getDescribeKeyMethod(),
            DescribeKeyRequest.getDefaultInstance(),
            this::describeKey)
        .add(
            KeyServiceGrpc.getListKeysMethod(),
            ListKeysRequest.getDefaultInstance(),
            this::listKeys)
        .add(
            KeyServiceGrpc.getCreateAliasMethod(),
            CreateAliasRequest.getDefaultInstance(),
            this::createAlias)
        .add(
            KeyServiceGrpc.getUpdateAliasMethod(),
            UpdateAliasRequest.getDefaultInstance(),
            this::updateAlias)
        .add(
            KeyServiceGrpc.getDeleteAliasMethod(),
            DeleteAliasRequest.getDefaultInstance(),
            this::deleteAlias)
        .add(
            KeyServiceGrpc.getListAliasesMethod(),
            ListAliasesRequest.getDefaultInstance(),
            this::listAliases)
        .build();
  }

  private void createKey(
      Caller caller, CreateKeyRequest request, Answer<CreateKeyResponse> answer) {
    keys.createKey(
        caller,
        Values.spec(request.getKeySpec()),
        request.getDescription(),
        answer.from(
            key ->
                CreateKeyResponse.newBuilder()
                    .setKeyMetadata(Values.metadata(key, keys.scope()))
                    .build()));
  }

  private void adoptKey(Caller caller, AdoptKeyRequest request, Answer<AdoptKeyResponse> answer) {
    Query query =
        switch (request.getObjectCase()) {
          case OBJECT_LABEL -> new Query.ByLabel(request.getObjectLabel());
          case OBJECT_ID ->
              new Query.ById(HexFormat.of().formatHex(request.getObjectId().toByteArray()));
          case OBJECT_NOT_SET ->
              throw new Refusal(
                  new Failure.InvalidField("object", "object_label or object_id must be set"));
        };
    keys.adoptKey(
        caller,
        query,
        Values.spec(request.getKeySpec()),
        request.getDescription(),
        answer.from(
            key ->
                AdoptKeyResponse.newBuilder()
                    .setKeyMetadata(Values.metadata(key, keys.scope()))
                    .build()));
  }

  private void describeKey(
      Caller caller, DescribeKeyRequest request, Answer<DescribeKeyResponse> answer) {
    if (request.getGrantTokensCount() > 0) {
      throw new Refusal(new Failure.GrantTokensNotServed());
    }
    answer.succeed(
        DescribeKeyResponse.newBuilder()
            .setKeyMetadata(
                Values.metadata(keys.describeKey(caller, request.getKeyId()), keys.scope()))
            .build());
  }

  private void listKeys(Caller caller, ListKeysRequest request, Answer<ListKeysResponse> answer) {
    keys.listKeys(
        caller,
        PageRequest.of("keys", request.getPageSize(), 100, 1000, request.getPageToken()),
        answer.from(
            page -> {
              var response = ListKeysResponse.newBuilder();
              page.items()
                  .forEach(
                      id ->
                          response.addKeys(
                              KeyListEntry.newBuilder()
                                  .setKeyId(id.value())
                                  .setKeyArn(keys.scope().keyArn(id))));
              page.nextToken().ifPresent(response::setNextPageToken);
              return response.build();
            }));
  }

  private void createAlias(
      Caller caller, CreateAliasRequest request, Answer<CreateAliasResponse> answer) {
    keys.createAlias(
        caller,
        request.getAliasName(),
        request.getTargetKeyId(),
        answer.from(_ -> CreateAliasResponse.getDefaultInstance()));
  }

  private void updateAlias(
      Caller caller, UpdateAliasRequest request, Answer<UpdateAliasResponse> answer) {
    keys.updateAlias(
        caller,
        request.getAliasName(),
        request.getTargetKeyId(),
        answer.from(_ -> UpdateAliasResponse.getDefaultInstance()));
  }

  private void deleteAlias(
      Caller caller, DeleteAliasRequest request, Answer<DeleteAliasResponse> answer) {
    keys.deleteAlias(
        caller, request.getAliasName(), answer.from(_ -> DeleteAliasResponse.getDefaultInstance()));
  }

  private void listAliases(
      Caller caller, ListAliasesRequest request, Answer<ListAliasesResponse> answer) {
    keys.listAliases(
        caller,
        request.getKeyId(),
        PageRequest.of(
            "aliases of " + request.getKeyId(),
            request.getPageSize(),
            50,
            100,
            request.getPageToken()),
        answer.from(
            page -> {
              var response = ListAliasesResponse.newBuilder();
              page.items().forEach(entry -> response.addAliases(Values.alias(entry, keys.scope())));
              page.nextToken().ifPresent(response::setNextPageToken);
              return response.build();
            }));
  }
}

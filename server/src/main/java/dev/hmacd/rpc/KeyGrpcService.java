package dev.hmacd.rpc;

import dev.hmacd.key.KeyObject;
import dev.hmacd.token.TokenSession.Query;
import dev.hmacd.usecase.Call;
import dev.hmacd.usecase.Failure;
import dev.hmacd.usecase.FieldValidation;
import dev.hmacd.usecase.KeyService;
import dev.hmacd.usecase.PageRequest;
import dev.hmacd.usecase.PagedList;
import dev.hmacd.usecase.Refusal;
import dev.hmacd.usecase.UseCases;
import dev.hmacd.v1.AdoptKeyRequest;
import dev.hmacd.v1.AdoptKeyResponse;
import dev.hmacd.v1.CreateKeyRequest;
import dev.hmacd.v1.CreateKeyResponse;
import dev.hmacd.v1.DescribeKeyRequest;
import dev.hmacd.v1.DescribeKeyResponse;
import dev.hmacd.v1.KeyListEntry;
import dev.hmacd.v1.KeyServiceGrpc;
import dev.hmacd.v1.ListKeysRequest;
import dev.hmacd.v1.ListKeysResponse;
import io.grpc.ServerServiceDefinition;
import java.util.HexFormat;
import java.util.Optional;

/// Serves `hmacd.v1.KeyService`: passes each request to its use case, and encodes the result.
final class KeyGrpcService {
  private final KeyService keys;
  private final AliasMethods aliases;
  private final KeyStateMethods states;
  private final TagMethods tags;

  KeyGrpcService(UseCases useCases) {
    this.keys = useCases.keys();
    this.aliases = new AliasMethods(useCases.aliases(), keys.scope());
    this.states = new KeyStateMethods(useCases.states(), keys.scope());
    this.tags = new TagMethods(useCases.tags());
  }

  ServerServiceDefinition definition(CallStarter starter) {
    var service = new ServiceBuilder(KeyServiceGrpc.getServiceDescriptor(), starter);
    aliases.addTo(service);
    states.addTo(service);
    tags.addTo(service);
    return service
        .add(
            KeyServiceGrpc.getCreateKeyMethod(),
            CreateKeyRequest.getDefaultInstance(),
            CreateKeyRequest::getTagsList,
            this::createKey)
        .add(
            KeyServiceGrpc.getAdoptKeyMethod(),
            AdoptKeyRequest.getDefaultInstance(),
            AdoptKeyRequest::getTagsList,
            this::adoptKey)
        .add(
            KeyServiceGrpc.getDescribeKeyMethod(),
            DescribeKeyRequest.getDefaultInstance(),
            this::describeKey)
        .add(
            KeyServiceGrpc.getListKeysMethod(),
            ListKeysRequest.getDefaultInstance(),
            this::listKeys)
        .build();
  }

  private void createKey(Call call, CreateKeyRequest request, GrpcReply<CreateKeyResponse> reply) {
    keys.createKey(
        call,
        ProtoConverter.spec(request.getKeySpec()),
        request.getDescription(),
        ProtoConverter.tags(request.getTagsList()),
        request.hasTokenSerial() ? Optional.of(request.getTokenSerial()) : Optional.empty(),
        reply.encoding(
            key ->
                CreateKeyResponse.newBuilder()
                    .setKeyMetadata(ProtoConverter.metadata(key, keys.scope()))
                    .build()));
  }

  private void adoptKey(Call call, AdoptKeyRequest request, GrpcReply<AdoptKeyResponse> reply) {
    keys.adoptKey(
        call,
        query(request),
        ProtoConverter.spec(request.getKeySpec()),
        request.getDescription(),
        ProtoConverter.tags(request.getTagsList()),
        reply.encoding(
            key ->
                AdoptKeyResponse.newBuilder()
                    .setKeyMetadata(ProtoConverter.metadata(key, keys.scope()))
                    .build()));
  }

  private static Query query(AdoptKeyRequest request) {
    String idHex = HexFormat.of().formatHex(request.getObjectId().toByteArray());
    if (request.hasObjectLabel() && request.hasObjectId()) {
      return new Query.ByBoth(new KeyObject(request.getObjectLabel(), idHex));
    }
    if (request.hasObjectLabel()) {
      return new Query.ByLabel(request.getObjectLabel());
    }
    FieldValidation.require(
        request.hasObjectId(), "object_label", "object_label or object_id must be set");
    return new Query.ById(idHex);
  }

  private void describeKey(
      Call call, DescribeKeyRequest request, GrpcReply<DescribeKeyResponse> reply) {
    if (request.getGrantTokensCount() > 0) {
      throw new Refusal(new Failure.GrantTokensNotServed());
    }
    keys.describeKey(
        call,
        request.getKeyId(),
        reply.encoding(
            key ->
                DescribeKeyResponse.newBuilder()
                    .setKeyMetadata(ProtoConverter.metadata(key, keys.scope()))
                    .build()));
  }

  private void listKeys(Call call, ListKeysRequest request, GrpcReply<ListKeysResponse> reply) {
    keys.listKeys(
        call,
        PageRequest.of(PagedList.KEYS, "", request.getPageSize(), request.getPageToken()),
        reply.encoding(
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
}

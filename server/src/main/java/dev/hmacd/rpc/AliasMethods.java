package dev.hmacd.rpc;

import dev.hmacd.key.ArnScope;
import dev.hmacd.usecase.AliasService;
import dev.hmacd.usecase.Call;
import dev.hmacd.usecase.PageRequest;
import dev.hmacd.usecase.PagedList;
import dev.hmacd.v1.CreateAliasRequest;
import dev.hmacd.v1.CreateAliasResponse;
import dev.hmacd.v1.DeleteAliasRequest;
import dev.hmacd.v1.DeleteAliasResponse;
import dev.hmacd.v1.KeyServiceGrpc;
import dev.hmacd.v1.ListAliasesRequest;
import dev.hmacd.v1.ListAliasesResponse;
import dev.hmacd.v1.UpdateAliasRequest;
import dev.hmacd.v1.UpdateAliasResponse;

/// The methods of `hmacd.v1.KeyService` that manage aliases.
final class AliasMethods {
  private final AliasService aliases;
  private final ArnScope scope;

  AliasMethods(AliasService aliases, ArnScope scope) {
    this.aliases = aliases;
    this.scope = scope;
  }

  void addTo(ServiceBuilder service) {
    var _ =
        service
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
                this::listAliases);
  }

  private void createAlias(
      Call call, CreateAliasRequest request, GrpcReply<CreateAliasResponse> reply) {
    aliases.createAlias(
        call,
        request.getAliasName(),
        request.getTargetKeyId(),
        reply.encoding(_ -> CreateAliasResponse.getDefaultInstance()));
  }

  private void updateAlias(
      Call call, UpdateAliasRequest request, GrpcReply<UpdateAliasResponse> reply) {
    aliases.updateAlias(
        call,
        request.getAliasName(),
        request.getTargetKeyId(),
        reply.encoding(_ -> UpdateAliasResponse.getDefaultInstance()));
  }

  private void deleteAlias(
      Call call, DeleteAliasRequest request, GrpcReply<DeleteAliasResponse> reply) {
    aliases.deleteAlias(
        call,
        request.getAliasName(),
        reply.encoding(_ -> DeleteAliasResponse.getDefaultInstance()));
  }

  private void listAliases(
      Call call, ListAliasesRequest request, GrpcReply<ListAliasesResponse> reply) {
    aliases.listAliases(
        call,
        request.getKeyId(),
        PageRequest.of(
            PagedList.ALIASES, request.getKeyId(), request.getPageSize(), request.getPageToken()),
        reply.encoding(
            page -> {
              var response = ListAliasesResponse.newBuilder();
              page.items()
                  .forEach(entry -> response.addAliases(ProtoConverter.alias(entry, scope)));
              page.nextToken().ifPresent(response::setNextPageToken);
              return response.build();
            }));
  }
}

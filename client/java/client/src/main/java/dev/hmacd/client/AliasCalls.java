package dev.hmacd.client;

import dev.hmacd.v1.CreateAliasRequest;
import dev.hmacd.v1.DeleteAliasRequest;
import dev.hmacd.v1.KeyServiceGrpc;
import dev.hmacd.v1.ListAliasesRequest;
import dev.hmacd.v1.UpdateAliasRequest;
import java.util.function.Function;

/// The calls of `KeyService` for aliases. [HmacdClient] documents them.
record AliasCalls(Calls calls) {
  void create(String aliasName, String targetKeyId) {
    calls.change(
        KeyServiceGrpc.getCreateAliasMethod(),
        CreateAliasRequest.newBuilder().setAliasName(aliasName).setTargetKeyId(targetKeyId).build(),
        Function.identity());
  }

  void update(String aliasName, String targetKeyId) {
    calls.change(
        KeyServiceGrpc.getUpdateAliasMethod(),
        UpdateAliasRequest.newBuilder().setAliasName(aliasName).setTargetKeyId(targetKeyId).build(),
        Function.identity());
  }

  void delete(String aliasName) {
    calls.change(
        KeyServiceGrpc.getDeleteAliasMethod(),
        DeleteAliasRequest.newBuilder().setAliasName(aliasName).build(),
        Function.identity());
  }

  Page<AliasListEntry> list(String keyId, int pageSize, String pageToken) {
    return calls.safe(
        KeyServiceGrpc.getListAliasesMethod(),
        ListAliasesRequest.newBuilder()
            .setKeyId(keyId)
            .setPageSize(pageSize)
            .setPageToken(pageToken)
            .build(),
        answer ->
            new Page<>(
                answer.getAliasesList().stream().map(Wire::aliasListEntry).toList(),
                answer.getNextPageToken()));
  }
}

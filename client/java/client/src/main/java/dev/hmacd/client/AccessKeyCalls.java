package dev.hmacd.client;

import dev.hmacd.v1.AccessKeyServiceGrpc;
import dev.hmacd.v1.CreateAccessKeyRequest;
import dev.hmacd.v1.DeleteAccessKeyRequest;
import dev.hmacd.v1.DisableAccessKeyRequest;
import dev.hmacd.v1.ListAccessKeysRequest;
import java.util.function.Function;

/// The calls of `AccessKeyService`. [HmacdClient] documents them.
record AccessKeyCalls(Calls calls) {
  CreatedAccessKey create(String principal) {
    return calls.change(
        AccessKeyServiceGrpc.getCreateAccessKeyMethod(),
        CreateAccessKeyRequest.newBuilder().setPrincipal(principal).build(),
        answer ->
            new CreatedAccessKey(
                Wire.accessKey(answer.getAccessKey()), answer.getSecretAccessKey()));
  }

  Page<AccessKeyMetadata> list(int pageSize, String pageToken) {
    return calls.safe(
        AccessKeyServiceGrpc.getListAccessKeysMethod(),
        ListAccessKeysRequest.newBuilder().setPageSize(pageSize).setPageToken(pageToken).build(),
        answer ->
            new Page<>(
                answer.getAccessKeysList().stream().map(Wire::accessKey).toList(),
                answer.getNextPageToken()));
  }

  void disable(String accessKeyId) {
    calls.change(
        AccessKeyServiceGrpc.getDisableAccessKeyMethod(),
        DisableAccessKeyRequest.newBuilder().setAccessKeyId(accessKeyId).build(),
        Function.identity());
  }

  void delete(String accessKeyId) {
    calls.change(
        AccessKeyServiceGrpc.getDeleteAccessKeyMethod(),
        DeleteAccessKeyRequest.newBuilder().setAccessKeyId(accessKeyId).build(),
        Function.identity());
  }
}

package dev.hmacd.client;

import com.google.protobuf.ByteString;
import dev.hmacd.v1.AdoptKeyRequest;
import dev.hmacd.v1.CancelKeyDeletionRequest;
import dev.hmacd.v1.CreateKeyRequest;
import dev.hmacd.v1.DisableKeyRequest;
import dev.hmacd.v1.EnableKeyRequest;
import dev.hmacd.v1.KeyServiceGrpc;
import dev.hmacd.v1.ListKeysRequest;
import dev.hmacd.v1.ScheduleKeyDeletionRequest;
import dev.hmacd.v1.UpdateKeyDescriptionRequest;
import java.util.List;
import java.util.Optional;

/// The calls of `KeyService` for keys. [HmacdClient] documents them.
record KeyCalls(Calls calls, List<String> grantTokens) {
  KeyMetadata create(
      KeySpec keySpec, String description, List<Tag> tags, Optional<String> tokenSerial) {
    var request =
        CreateKeyRequest.newBuilder()
            .setKeySpec(Wire.keySpec(keySpec))
            .setDescription(description)
            .addAllTags(Wire.tags(tags));
    tokenSerial.ifPresent(request::setTokenSerial);
    return calls.change(
        KeyServiceGrpc.getCreateKeyMethod(),
        request.build(),
        answer -> Wire.keyMetadata(answer.getKeyMetadata()));
  }

  KeyMetadata adopt(
      Optional<String> objectLabel,
      Optional<byte[]> objectId,
      KeySpec keySpec,
      String description,
      List<Tag> tags) {
    var request =
        AdoptKeyRequest.newBuilder()
            .setKeySpec(Wire.keySpec(keySpec))
            .setDescription(description)
            .addAllTags(Wire.tags(tags));
    objectLabel.ifPresent(request::setObjectLabel);
    objectId.ifPresent(id -> request.setObjectId(ByteString.copyFrom(id)));
    return calls.change(
        KeyServiceGrpc.getAdoptKeyMethod(),
        request.build(),
        answer -> Wire.keyMetadata(answer.getKeyMetadata()));
  }

  KeyMetadata describe(String keyId) {
    return calls.safe(
        KeyServiceGrpc.getDescribeKeyMethod(),
        Wire.describeKey(keyId, grantTokens),
        answer -> Wire.keyMetadata(answer.getKeyMetadata()));
  }

  Page<KeyListEntry> list(int pageSize, String pageToken) {
    return calls.safe(
        KeyServiceGrpc.getListKeysMethod(),
        ListKeysRequest.newBuilder().setPageSize(pageSize).setPageToken(pageToken).build(),
        answer ->
            new Page<>(
                answer.getKeysList().stream().map(Wire::keyListEntry).toList(),
                answer.getNextPageToken()));
  }

  KeyMetadata enable(String keyId) {
    return calls.change(
        KeyServiceGrpc.getEnableKeyMethod(),
        EnableKeyRequest.newBuilder().setKeyId(keyId).build(),
        answer -> Wire.keyMetadata(answer.getKeyMetadata()));
  }

  KeyMetadata disable(String keyId) {
    return calls.change(
        KeyServiceGrpc.getDisableKeyMethod(),
        DisableKeyRequest.newBuilder().setKeyId(keyId).build(),
        answer -> Wire.keyMetadata(answer.getKeyMetadata()));
  }

  KeyMetadata scheduleDeletion(String keyId, int pendingWindowInDays) {
    return calls.change(
        KeyServiceGrpc.getScheduleKeyDeletionMethod(),
        ScheduleKeyDeletionRequest.newBuilder()
            .setKeyId(keyId)
            .setPendingWindowInDays(pendingWindowInDays)
            .build(),
        answer -> Wire.keyMetadata(answer.getKeyMetadata()));
  }

  KeyMetadata cancelDeletion(String keyId) {
    return calls.change(
        KeyServiceGrpc.getCancelKeyDeletionMethod(),
        CancelKeyDeletionRequest.newBuilder().setKeyId(keyId).build(),
        answer -> Wire.keyMetadata(answer.getKeyMetadata()));
  }

  KeyMetadata updateDescription(String keyId, String description) {
    return calls.change(
        KeyServiceGrpc.getUpdateKeyDescriptionMethod(),
        UpdateKeyDescriptionRequest.newBuilder()
            .setKeyId(keyId)
            .setDescription(description)
            .build(),
        answer -> Wire.keyMetadata(answer.getKeyMetadata()));
  }
}

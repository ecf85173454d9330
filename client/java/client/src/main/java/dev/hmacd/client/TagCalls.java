package dev.hmacd.client;

import dev.hmacd.v1.KeyServiceGrpc;
import dev.hmacd.v1.ListResourceTagsRequest;
import dev.hmacd.v1.TagResourceRequest;
import dev.hmacd.v1.UntagResourceRequest;
import java.util.List;
import java.util.function.Function;

/// The calls of `KeyService` for the tags of keys. [HmacdClient] documents them.
record TagCalls(Calls calls) {
  void add(String keyId, List<Tag> tags) {
    calls.change(
        KeyServiceGrpc.getTagResourceMethod(),
        TagResourceRequest.newBuilder().setKeyId(keyId).addAllTags(Wire.tags(tags)).build(),
        Function.identity());
  }

  void remove(String keyId, List<String> tagKeys) {
    calls.change(
        KeyServiceGrpc.getUntagResourceMethod(),
        UntagResourceRequest.newBuilder().setKeyId(keyId).addAllTagKeys(tagKeys).build(),
        Function.identity());
  }

  Page<Tag> list(String keyId, int pageSize, String pageToken) {
    return calls.safe(
        KeyServiceGrpc.getListResourceTagsMethod(),
        ListResourceTagsRequest.newBuilder()
            .setKeyId(keyId)
            .setPageSize(pageSize)
            .setPageToken(pageToken)
            .build(),
        answer ->
            new Page<>(
                answer.getTagsList().stream().map(Wire::tag).toList(), answer.getNextPageToken()));
  }
}

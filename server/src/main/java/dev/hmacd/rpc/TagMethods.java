package dev.hmacd.rpc;

import dev.hmacd.key.Tag;
import dev.hmacd.usecase.Call;
import dev.hmacd.usecase.FieldValidation;
import dev.hmacd.usecase.PageRequest;
import dev.hmacd.usecase.PagedList;
import dev.hmacd.usecase.TagService;
import dev.hmacd.v1.KeyServiceGrpc;
import dev.hmacd.v1.ListResourceTagsRequest;
import dev.hmacd.v1.ListResourceTagsResponse;
import dev.hmacd.v1.TagResourceRequest;
import dev.hmacd.v1.TagResourceResponse;
import dev.hmacd.v1.UntagResourceRequest;
import dev.hmacd.v1.UntagResourceResponse;

/// The methods of `hmacd.v1.KeyService` that manage the tags of keys.
final class TagMethods {
  private final TagService tags;

  TagMethods(TagService tags) {
    this.tags = tags;
  }

  void addTo(ServiceBuilder service) {
    var _ =
        service
            .add(
                KeyServiceGrpc.getTagResourceMethod(),
                TagResourceRequest.getDefaultInstance(),
                TagResourceRequest::getTagsList,
                this::tagResource)
            .add(
                KeyServiceGrpc.getUntagResourceMethod(),
                UntagResourceRequest.getDefaultInstance(),
                this::untagResource)
            .add(
                KeyServiceGrpc.getListResourceTagsMethod(),
                ListResourceTagsRequest.getDefaultInstance(),
                this::listResourceTags);
  }

  private void tagResource(
      Call call, TagResourceRequest request, GrpcReply<TagResourceResponse> reply) {
    requireSome("tags", request.getTagsCount());
    tags.tagResource(
        call,
        request.getKeyId(),
        ProtoConverter.tags(request.getTagsList()),
        reply.encoding(_ -> TagResourceResponse.getDefaultInstance()));
  }

  private void untagResource(
      Call call, UntagResourceRequest request, GrpcReply<UntagResourceResponse> reply) {
    requireSome("tag_keys", request.getTagKeysCount());
    tags.untagResource(
        call,
        request.getKeyId(),
        request.getTagKeysList(),
        reply.encoding(_ -> UntagResourceResponse.getDefaultInstance()));
  }

  /// Requires the number of elements of the contract. The use case has the same maximum, but with
  /// another reason, `INVALID_TAG`.
  private static void requireSome(String field, int count) {
    FieldValidation.elements(field, count, Tag.MAX_PER_KEY);
  }

  private void listResourceTags(
      Call call, ListResourceTagsRequest request, GrpcReply<ListResourceTagsResponse> reply) {
    tags.listResourceTags(
        call,
        request.getKeyId(),
        PageRequest.of(
            PagedList.TAGS, request.getKeyId(), request.getPageSize(), request.getPageToken()),
        reply.encoding(
            page -> {
              var response = ListResourceTagsResponse.newBuilder();
              page.items().forEach(tag -> response.addTags(ProtoConverter.tag(tag)));
              page.nextToken().ifPresent(response::setNextPageToken);
              return response.build();
            }));
  }
}

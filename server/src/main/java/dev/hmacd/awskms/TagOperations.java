package dev.hmacd.awskms;

import dev.hmacd.key.Tag;
import dev.hmacd.usecase.Call;
import dev.hmacd.usecase.FieldValidation;
import dev.hmacd.usecase.PagedList;
import dev.hmacd.usecase.TagService;
import java.util.List;

/// The operations on tags.
final class TagOperations {
  static final InputMember TAGS = tagList();

  private final TagService tags;

  TagOperations(TagService tags) {
    this.tags = tags;
  }

  private static InputMember tagList() {
    return InputMember.structures(
        "Tags",
        InputStructure.of(
            InputMember.text("TagKey", 1, ModelLimits.TAG_KEY_CHARS).required(),
            InputMember.text("TagValue", 0, ModelLimits.TAG_VALUE_CHARS).required()));
  }

  List<Operation> all() {
    return List.of(
        new Operation(
            "TagResource",
            InputStructure.of(KeyOperations.KEY_ID, tagList().required()),
            this::tagResource),
        new Operation(
            "UntagResource",
            InputStructure.of(
                KeyOperations.KEY_ID,
                InputMember.texts("TagKeys", Integer.MAX_VALUE, 1, ModelLimits.TAG_KEY_CHARS)
                    .required()),
            this::untagResource),
        new Operation(
            "ListResourceTags",
            InputStructure.of(KeyOperations.KEY_ID, Paging.LIMIT, Paging.MARKER),
            this::listResourceTags));
  }

  /// The tags of a request; empty if the request has none.
  static List<Tag> tags(OperationInput input) {
    return input.list("Tags").stream()
        .map(OperationInput.class::cast)
        .map(tag -> FieldValidation.tag(tag.text("TagKey"), tag.text("TagValue")))
        .toList();
  }

  private void tagResource(Call call, OperationInput input, AwsReply reply) {
    tags.tagResource(call, input.text("KeyId"), tags(input), reply.empty());
  }

  private void untagResource(Call call, OperationInput input, AwsReply reply) {
    List<String> keys = input.list("TagKeys").stream().map(String.class::cast).toList();
    tags.untagResource(call, input.text("KeyId"), keys, reply.empty());
  }

  private void listResourceTags(Call call, OperationInput input, AwsReply reply) {
    String keyId = input.text("KeyId");
    tags.listResourceTags(
        call,
        keyId,
        Paging.request(PagedList.TAGS, keyId, input),
        reply.json(
            (json, page) -> {
              json.writeArrayFieldStart("Tags");
              for (Tag tag : page.items()) {
                json.writeStartObject();
                json.writeStringField("TagKey", tag.key());
                json.writeStringField("TagValue", tag.value());
                json.writeEndObject();
              }
              json.writeEndArray();
              Paging.write(json, page);
            }));
  }
}

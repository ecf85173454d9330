package dev.hmacd.awskms;

import dev.hmacd.key.Tag;
import dev.hmacd.usecase.Call;
import dev.hmacd.usecase.TagService;
import java.util.List;

/// The operations on tags.
final class TagOperations {
  static final Member TAGS = tagList();

  private static final int MAX_PAGE = 50;

  private final TagService tags;

  TagOperations(TagService tags) {
    this.tags = tags;
  }

  private static Member tagList() {
    return Member.structures(
        "Tags",
        Members.of(
            Member.text("TagKey", 1, Tag.MAX_KEY_LENGTH).required(),
            Member.text("TagValue", 0, Tag.MAX_VALUE_LENGTH).required()));
  }

  List<Operation> all() {
    return List.of(
        new Operation(
            "TagResource",
            Members.of(KeyOperations.KEY_ID, tagList().required()),
            this::tagResource),
        new Operation(
            "UntagResource",
            Members.of(
                KeyOperations.KEY_ID,
                Member.texts("TagKeys", Integer.MAX_VALUE, 1, Tag.MAX_KEY_LENGTH).required()),
            this::untagResource),
        new Operation(
            "ListResourceTags",
            Members.of(KeyOperations.KEY_ID, Paging.LIMIT, Paging.MARKER),
            this::listResourceTags));
  }

  /// The tags of a request; empty if the request has none.
  static List<Tag> tags(Input input) {
    return input.list("Tags").stream()
        .map(Input.class::cast)
        .map(tag -> new Tag(tag.text("TagKey"), tag.text("TagValue")))
        .toList();
  }

  private void tagResource(Call call, Input input, Answer answer) {
    tags.tagResource(call, input.text("KeyId"), tags(input), answer.empty());
  }

  private void untagResource(Call call, Input input, Answer answer) {
    List<String> keys = input.list("TagKeys").stream().map(String.class::cast).toList();
    tags.untagResource(call, input.text("KeyId"), keys, answer.empty());
  }

  private void listResourceTags(Call call, Input input, Answer answer) {
    String keyId = input.text("KeyId");
    tags.listResourceTags(
        call,
        keyId,
        Paging.request("tags of " + keyId, input, MAX_PAGE, MAX_PAGE),
        answer.json(
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

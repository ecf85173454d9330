package dev.hmacd.usecase;

import com.google.errorprone.annotations.ThreadSafe;
import dev.hmacd.access.Action;
import dev.hmacd.key.KeyId;
import dev.hmacd.key.Tag;
import dev.hmacd.registry.KeyLists;
import dev.hmacd.registry.KeyWriter;
import dev.hmacd.registry.PositionedTag;
import dev.hmacd.registry.Registry;
import dev.hmacd.registry.RegistryException;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.concurrent.CompletableFuture;

/// Use cases of tags. No method blocks: results come from the registry's thread.
@ThreadSafe
@SuppressWarnings("ThreadSafe") // All fields are thread-safe.
public final class TagService {
  private static final String RESERVED = "aws:";

  private final KeyAuthorizer authorizer;
  private final KeyWriter writer;
  private final KeyLists lists;

  public TagService(Registry registry, KeyAuthorizer authorizer) {
    this.authorizer = authorizer;
    this.writer = registry.writer();
    this.lists = registry.lists();
  }

  /// Adds tags to a key. A tag replaces an existing tag with the same tag key.
  public void tagResource(Call call, String keyId, List<Tag> tags, Reply<KeyId> reply) {
    requireFit(tags);
    Action action = Action.TAG_RESOURCE;
    KeyStateService.require(
        authorizer,
        call,
        action,
        keyId,
        reply,
        id ->
            ReplyCompleter.complete(
                call,
                writer.forOwner(
                    call.owner(),
                    () -> writer.tag(id, key -> KeyStateRules.allows(action, key), tags)),
                reply,
                e ->
                    FailureMapper.unwrap(e) instanceof RegistryException refused
                            && refused.kind() == RegistryException.Kind.TOO_MANY_TAGS
                        ? new Failure.LimitExceeded("tags of one key", Tag.MAX_PER_KEY)
                        : KeyStateService.failure(action, id, keyId, e)));
  }

  /// Removes tags from a key. Ignores tag keys that the key does not have.
  ///
  /// @param tagKeys at most [Tag#MAX_PER_KEY], because each one is a statement of the registry
  /// @throws Refusal [Failure.InvalidTags] for more tag keys, [Failure.InvalidField] for a tag key
  ///   that is empty or too long
  public void untagResource(Call call, String keyId, List<String> tagKeys, Reply<KeyId> reply) {
    requireCount(tagKeys);
    FieldValidation.tagKeys(tagKeys);
    Action action = Action.UNTAG_RESOURCE;
    KeyStateService.require(
        authorizer,
        call,
        action,
        keyId,
        reply,
        id ->
            ReplyCompleter.complete(
                call,
                writer.forOwner(
                    call.owner(),
                    () -> writer.untag(id, key -> KeyStateRules.allows(action, key), tagKeys)),
                reply,
                e -> KeyStateService.failure(action, id, keyId, e)));
  }

  /// Returns a page of a key's tags, in the order of their first addition.
  public void listResourceTags(Call call, String keyId, PageRequest page, Reply<Page<Tag>> reply) {
    authorizer.requireById(
        call,
        Action.LIST_RESOURCE_TAGS,
        "key_id",
        keyId,
        reply,
        key ->
            ReplyCompleter.complete(
                call,
                lists.forOwner(call.owner(), () -> tags(key.entry().id(), page)),
                reply,
                FailureMapper::ofRegistry));
  }

  private CompletableFuture<Page<Tag>> tags(KeyId id, PageRequest page) {
    return lists
        .listTags(id, position(page), page.size() + 1)
        .thenApply(
            found ->
                Page.of(found, page, placed -> Integer.toString(placed.position()))
                    .map(PositionedTag::tag));
  }

  private static int position(PageRequest page) {
    try {
      return page.after().isEmpty() ? 0 : Integer.parseInt(page.after());
    } catch (NumberFormatException e) {
      throw new Refusal(new Failure.InvalidPageToken());
    }
  }

  /// @throws Refusal [Failure.InvalidTags] for too many tags, or for duplicate or reserved tag keys
  static void requireFit(List<Tag> tags) {
    requireCount(tags);
    Set<String> seen = new HashSet<>();
    for (Tag tag : tags) {
      if (!seen.add(tag.key())) {
        throw new Refusal(new Failure.InvalidTags("Duplicate tag keys"));
      }
      if (tag.key().toLowerCase(Locale.ROOT).startsWith(RESERVED)) {
        throw new Refusal(new Failure.InvalidTags("Tags beginning with aws: are reserved"));
      }
    }
  }

  private static void requireCount(List<?> tags) {
    if (tags.size() > Tag.MAX_PER_KEY) {
      throw new Refusal(new Failure.InvalidTags("Too many tags"));
    }
  }
}

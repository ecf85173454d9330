package dev.hmacd.usecase;

import com.google.errorprone.annotations.ThreadSafe;
import dev.hmacd.access.Action;
import dev.hmacd.key.Alias;
import dev.hmacd.key.AliasEntry;
import dev.hmacd.key.KeyId;
import dev.hmacd.registry.KeyLists;
import dev.hmacd.registry.KeyWriter;
import dev.hmacd.registry.Registry;
import dev.hmacd.registry.RegistryException;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.function.Function;

/// Use cases of aliases. No method blocks: results come from the registry's thread.
@ThreadSafe
@SuppressWarnings("ThreadSafe") // All fields are thread-safe.
public final class AliasService {
  private final KeyAuthorizer authorizer;
  private final KeyWriter writer;
  private final KeyLists lists;

  public AliasService(Registry registry, KeyAuthorizer authorizer) {
    this.authorizer = authorizer;
    this.writer = registry.writer();
    this.lists = registry.lists();
  }

  /// Returns a page of aliases, ordered by name.
  ///
  /// @param givenKeyId the key whose aliases are listed; empty for all aliases
  public void listAliases(
      Call call, String givenKeyId, PageRequest page, Reply<Page<AliasEntry>> reply) {
    var _ = authorizer.requireOnAllKeys(call, Action.LIST_ALIASES);
    if (givenKeyId.isEmpty()) {
      listAliases(call, Optional.empty(), page, reply);
      return;
    }
    authorizer.requireById(
        call,
        Action.LIST_ALIASES,
        "key_id",
        givenKeyId,
        reply,
        key -> listAliases(call, Optional.of(key.entry().id()), page, reply));
  }

  private void listAliases(
      Call call, Optional<KeyId> target, PageRequest page, Reply<Page<AliasEntry>> reply) {
    ReplyCompleter.complete(
        call,
        lists.forOwner(
            call.owner(),
            () ->
                lists
                    .listAliases(target, page.after(), page.size() + 1)
                    .thenApply(found -> Page.of(found, page, entry -> entry.alias().name()))),
        reply,
        FailureMapper::ofRegistry);
  }

  /// Creates an alias that points at a key.
  public void createAlias(Call call, String name, String targetKeyId, Reply<AliasEntry> reply) {
    Action action = Action.CREATE_ALIAS;
    Alias alias = FieldValidation.alias("alias_name", name);
    var _ = authorizer.requireOnAllKeys(call, action);
    withTarget(
        call,
        action,
        targetKeyId,
        reply,
        target ->
            ReplyCompleter.complete(
                call,
                writer.forOwner(
                    call.owner(),
                    () ->
                        writer.createAlias(
                            alias, target, key -> KeyStateRules.allows(action, key))),
                reply,
                failure(alias, e -> KeyStateService.failure(action, target, targetKeyId, e))));
  }

  /// Points an alias at another key.
  public void updateAlias(Call call, String name, String targetKeyId, Reply<AliasEntry> reply) {
    Action action = Action.UPDATE_ALIAS;
    Alias alias = FieldValidation.alias("alias_name", name);
    var _ = authorizer.requireOnAllKeys(call, action);
    withTarget(
        call,
        action,
        targetKeyId,
        reply,
        target ->
            ReplyCompleter.complete(
                call,
                writer.forOwner(
                    call.owner(),
                    () ->
                        writer.updateAlias(
                            alias, target, key -> KeyStateRules.allows(action, key))),
                reply,
                failure(alias, e -> KeyStateService.failure(action, target, targetKeyId, e))));
  }

  public void deleteAlias(Call call, String name, Reply<Alias> reply) {
    Alias alias = FieldValidation.alias("alias_name", name);
    var _ = authorizer.requireOnAllKeys(call, Action.DELETE_ALIAS);
    ReplyCompleter.complete(
        call,
        writer.forOwner(call.owner(), () -> writer.deleteAlias(alias)),
        reply,
        failure(alias, FailureMapper::ofRegistry));
  }

  /// Finds the key that an alias shall point at.
  ///
  /// @param next gets the id of the key
  private void withTarget(
      Call call, Action action, String given, Reply<?> reply, Consumer<KeyId> next) {
    authorizer.requireById(
        call,
        action,
        "target_key_id",
        given,
        reply,
        key -> {
          // A key in state CREATING may still be removed from the registry. An alias of the key
          // would prevent the removal.
          KeyStateRules.require(action, key.entry());
          next.accept(key.entry().id());
        });
  }

  /// Maps the failure of a change of an alias.
  ///
  /// @param others maps the failures that do not concern the alias
  private static Function<Throwable, Failure> failure(
      Alias alias, Function<Throwable, Failure> others) {
    return e -> {
      if (FailureMapper.unwrap(e) instanceof RegistryException registry) {
        switch (registry.kind()) {
          case ALIAS_EXISTS -> {
            return new Failure.AliasExists(alias);
          }
          case ALIAS_NOT_FOUND -> {
            return new Failure.AliasNotFound(alias);
          }
          case TOO_MANY_ALIASES -> {
            return new Failure.LimitExceeded("aliases of one key", KeyWriter.MAX_ALIASES_PER_KEY);
          }
          case BUSY,
              OWNER_BUSY,
              UNAVAILABLE,
              UNUSABLE,
              FOREIGN,
              KEY_NOT_FOUND,
              OBJECT_TAKEN,
              TOO_MANY_TAGS,
              ACCESS_KEY_NOT_FOUND,
              REFUSED,
              OVERTAKEN -> {}
        }
      }
      return others.apply(e);
    };
  }
}

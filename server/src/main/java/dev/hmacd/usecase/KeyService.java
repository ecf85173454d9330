package dev.hmacd.usecase;

import com.google.errorprone.annotations.ThreadSafe;
import dev.hmacd.access.Action;
import dev.hmacd.key.ArnScope;
import dev.hmacd.key.Key;
import dev.hmacd.key.KeyId;
import dev.hmacd.key.KeyObject;
import dev.hmacd.key.KeyOrigin;
import dev.hmacd.key.KeySpec;
import dev.hmacd.key.KeyState;
import dev.hmacd.key.KeyVersion;
import dev.hmacd.key.Placement;
import dev.hmacd.key.Tag;
import dev.hmacd.registry.KeyLists;
import dev.hmacd.registry.KeyReader;
import dev.hmacd.registry.KeyWriter;
import dev.hmacd.registry.Registry;
import dev.hmacd.token.TokenRouter;
import dev.hmacd.token.TokenSession.Query;
import java.nio.charset.StandardCharsets;
import java.time.Clock;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;
import java.util.function.Function;

/// Use cases that create, adopt, describe and list keys. No method blocks: results come from a lane
/// or from the registry's thread.
@ThreadSafe
@SuppressWarnings("ThreadSafe") // All fields are thread-safe.
public final class KeyService {
  private static final String DEFAULT_POLICY = "default";

  private final KeyAuthorizer authorizer;
  private final KeyReader reader;
  private final KeyWriter writer;
  private final KeyLists lists;
  private final KeyCreation maker;
  private final KeyAdoption adoption;
  private final TokenRouter tokens;
  private final UnavailableKeys unavailableKeys;
  private final Clock clock;

  public KeyService(
      Registry registry,
      KeyAuthorizer authorizer,
      KeyCreation maker,
      TokenRouter tokens,
      UnavailableKeys unavailableKeys,
      Clock clock) {
    this.authorizer = authorizer;
    this.reader = registry.keys();
    this.writer = registry.writer();
    this.lists = registry.lists();
    this.maker = maker;
    this.adoption = new KeyAdoption(tokens);
    this.tokens = tokens;
    this.unavailableKeys = unavailableKeys;
    this.clock = clock;
  }

  /// Creates a key in the HSM.
  ///
  /// @param tokenSerial serial number of the token for the key; empty for the default token of the
  ///   configuration
  public void createKey(
      Call call,
      KeySpec spec,
      String description,
      List<Tag> tags,
      Optional<String> tokenSerial,
      Reply<Key> reply) {
    FieldValidation.description(description);
    TagService.requireFit(tags);
    var _ = authorizer.requireOnAllKeys(call, Action.CREATE_KEY);
    String token = tokenSerial.orElseGet(tokens::defaultSerial);
    FieldValidation.require(
        tokens.has(token), "token_serial", "must be the serial number of a configured token");
    KeyId id = KeyId.random();
    Key key =
        entry(id, spec, KeyOrigin.GENERATED, description, KeyObject.of(id, 1), List.of(token));
    ReplyCompleter.complete(
        call,
        writer.forOwner(call.owner(), () -> maker.make(call, key, tags)),
        reply,
        failure(key));
  }

  /// Registers a key that a key ceremony put on the token. [KeyAdoption] checks the conditions for
  /// the adoption.
  public void adoptKey(
      Call call, Query query, KeySpec spec, String description, List<Tag> tags, Reply<Key> reply) {
    TagService.requireFit(tags);
    switch (query) {
      case Query.ByLabel(var label) -> requireLabel(label);
      case Query.ById(var idHex) -> requireId(idHex);
      case Query.ByBoth(var object) -> {
        requireLabel(object.label());
        requireId(object.idHex());
      }
    }
    FieldValidation.description(description);
    var _ = authorizer.requireOnAllKeys(call, Action.ADOPT_KEY);
    if (asksForReserved(query)) {
      throw new Refusal(new Failure.ObjectReserved());
    }
    KeyId id = KeyId.random();
    Key forFailures =
        entry(
            id, spec, KeyOrigin.ADOPTED, "", KeyObject.of(id, 1), List.of(tokens.defaultSerial()));
    ReplyCompleter.complete(
        call,
        writer.forOwner(call.owner(), () -> adopt(call, id, query, spec, description, tags)),
        reply,
        failure(forFailures));
  }

  private CompletableFuture<Key> adopt(
      Call call, KeyId id, Query query, KeySpec spec, String description, List<Tag> tags) {
    return adoption
        .find(call, query, id, spec)
        .thenApply(
            adoptable ->
                entry(
                        id,
                        spec,
                        KeyOrigin.ADOPTED,
                        description,
                        adoptable.found().object(),
                        adoptable.tokenSerials())
                    .enabled(adoptable.found().attributes(), adoptable.check()))
        .thenCompose(key -> writer.insert(key, tags, tokens.serials()));
  }

  private static void requireLabel(String label) {
    int length = label.getBytes(StandardCharsets.UTF_8).length;
    FieldValidation.bytes("object_label", length, FieldValidation.MAX_OBJECT_NAME_BYTES);
  }

  private static void requireId(String idHex) {
    FieldValidation.bytes("object_id", idHex.length() / 2, FieldValidation.MAX_OBJECT_NAME_BYTES);
  }

  /// Whether the label in the query is reserved for the daemon's own keys. An object with the label
  /// need not exist.
  private static boolean asksForReserved(Query query) {
    return switch (query) {
      case Query.ByLabel(var label) -> new KeyObject(label, "").isReserved();
      case Query.ByBoth(var object) -> object.isReserved();
      case Query.ById(var _) -> false;
    };
  }

  /// The registry entry of a new key, without the attributes of the key's object.
  private Key entry(
      KeyId id,
      KeySpec spec,
      KeyOrigin origin,
      String description,
      KeyObject object,
      List<String> tokenSerials) {
    return new Key(
        id,
        spec,
        KeyState.CREATING,
        origin,
        Instant.ofEpochMilli(clock.millis()),
        description,
        null,
        new KeyVersion(1, new Placement(object, tokenSerials), null, null),
        Set.of());
  }

  /// Replies with the metadata of a key.
  public void describeKey(Call call, String given, Reply<Key> reply) {
    FieldValidation.keyId("key_id", given);
    authorizer.require(
        call,
        Action.DESCRIBE_KEY,
        given,
        1,
        reply,
        key -> reply.succeed(unavailableKeys.inReportedState(key.entry())));
  }

  /// Authorizes GetKeyRotationStatus and replies with the key. MAC keys do not rotate.
  public void getKeyRotationStatus(Call call, String keyId, Reply<Key> reply) {
    requireById(call, Action.GET_KEY_ROTATION_STATUS, keyId, reply, reply::succeed);
  }

  /// Authorizes GetKeyPolicy and replies with the key. Every key has the default policy.
  public void getKeyPolicy(Call call, String keyId, Reply<Key> reply) {
    requireById(call, Action.GET_KEY_POLICY, keyId, reply, reply::succeed);
  }

  /// Replies with a page of the policy names of a key. The only name is `default`.
  public void listKeyPolicies(
      Call call, String keyId, PageRequest page, Reply<Page<String>> reply) {
    requireById(
        call,
        Action.LIST_KEY_POLICIES,
        keyId,
        reply,
        _ -> {
          if (!page.after().isEmpty()) {
            throw new Refusal(new Failure.InvalidPageToken()); // The list has only one page.
          }
          reply.succeed(Page.of(List.of(DEFAULT_POLICY), page, name -> name));
        });
  }

  private void requireById(
      Call call, Action action, String keyId, Reply<?> reply, Consumer<Key> next) {
    authorizer.requireById(call, action, "key_id", keyId, reply, key -> next.accept(key.entry()));
  }

  /// Returns a page of keys, ordered by id.
  public void listKeys(Call call, PageRequest page, Reply<Page<KeyId>> reply) {
    var _ = authorizer.requireOnAllKeys(call, Action.LIST_KEYS);
    ReplyCompleter.complete(
        call,
        lists.forOwner(
            call.owner(),
            () ->
                lists
                    .listKeys(page.after(), page.size() + 1)
                    .thenApply(found -> Page.of(found, page, KeyId::value))),
        reply,
        FailureMapper::ofRegistry);
  }

  public ArnScope scope() {
    return reader.scope();
  }

  private static Function<Throwable, Failure> failure(Key key) {
    return e -> FailureMapper.of(e, key);
  }
}

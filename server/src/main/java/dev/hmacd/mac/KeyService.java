package dev.hmacd.mac;

import com.google.errorprone.annotations.ThreadSafe;
import dev.hmacd.access.Access;
import dev.hmacd.access.Action;
import dev.hmacd.key.ArnScope;
import dev.hmacd.key.KeyEntry;
import dev.hmacd.key.KeyId;
import dev.hmacd.key.KeyObject;
import dev.hmacd.key.KeyOrigin;
import dev.hmacd.key.KeyRegistry;
import dev.hmacd.key.KeySpec;
import dev.hmacd.key.KeyState;
import dev.hmacd.key.Tag;
import dev.hmacd.token.TokenSession.Query;
import dev.hmacd.token.Tokens;
import java.nio.charset.StandardCharsets;
import java.time.Clock;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.function.Function;

/// Makes, adopts, describes and names keys. Never blocks: replies come on a lane or on the
/// registry's thread.
@ThreadSafe
@SuppressWarnings("ThreadSafe") // Its parts are thread-safe and say so.
public final class KeyService {
  private final Keys keys;
  private final KeyRegistry registry;
  private final KeyMaker maker;
  private final KeyAdoption adoption;
  private final Tokens tokens;
  private final Availability availability;
  private final Clock clock;

  public KeyService(
      KeyRegistry registry,
      Access access,
      KeyMaker maker,
      Tokens tokens,
      Availability availability,
      Clock clock) {
    this.keys = new Keys(registry, access);
    this.registry = registry;
    this.maker = maker;
    this.adoption = new KeyAdoption(tokens);
    this.tokens = tokens;
    this.availability = availability;
    this.clock = clock;
  }

  /// Makes a key in the HSM.
  ///
  /// @param tokenSerial the token to make it on; empty: the one that the configuration has for that
  public void createKey(
      Caller caller,
      KeySpec spec,
      String description,
      List<Tag> tags,
      Optional<String> tokenSerial,
      Reply<KeyEntry> reply) {
    Shape.description(description);
    TagService.requireFit(tags);
    keys.requireOnAllKeys(caller.principal(), Action.CREATE_KEY);
    String token = tokenSerial.orElseGet(tokens::defaultSerial);
    Shape.require(tokens.has(token), "token_serial", "must be that of a token of this daemon");
    KeyId id = KeyId.random();
    KeyEntry key =
        entry(id, spec, KeyOrigin.GENERATED, description, KeyObject.of(id, 1), List.of(token));
    Replies.send(caller, maker.make(key, tags, caller.deadlineNanos()), reply, failure(key));
  }

  /// Takes a key into service that a key ceremony put on the token.
  ///
  /// The object must have the attributes of a key that may be used, be the only one that fits the
  /// query, and give a MAC on trial, which is the same on all tokens that have it.
  public void adoptKey(
      Caller caller,
      Query query,
      KeySpec spec,
      String description,
      List<Tag> tags,
      Reply<KeyEntry> reply) {
    TagService.requireFit(tags);
    switch (query) {
      case Query.ByLabel(var label) -> requireLabel(label);
      case Query.ById(var idHex) -> requireId(idHex);
      case Query.ByBoth(var object) -> {
        requireLabel(object.label());
        requireId(object.idHex());
      }
    }
    Shape.description(description);
    keys.requireOnAllKeys(caller.principal(), Action.ADOPT_KEY);
    if (asksForReserved(query)) {
      throw new Refusal(new Failure.ObjectReserved());
    }
    KeyId id = KeyId.random();
    CompletableFuture<KeyEntry> adopted =
        adoption
            .find(query, spec, caller.deadlineNanos())
            .thenApply(
                adoptable ->
                    entry(
                            id,
                            spec,
                            KeyOrigin.ADOPTED,
                            description,
                            adoptable.found().object(),
                            adoptable.tokenSerials())
                        .enabled(adoptable.found().attributes()))
            .thenCompose(key -> registry.insert(key, tags, tokens.serials()));
    KeyEntry forFailures =
        entry(
            id, spec, KeyOrigin.ADOPTED, "", KeyObject.of(id, 1), List.of(tokens.defaultSerial()));
    Replies.send(caller, adopted, reply, failure(forFailures));
  }

  private static void requireLabel(String label) {
    int length = label.getBytes(StandardCharsets.UTF_8).length;
    Shape.bytes("object_label", length, Shape.MAX_OBJECT_NAME_BYTES);
  }

  private static void requireId(String idHex) {
    Shape.bytes("object_id", idHex.length() / 2, Shape.MAX_OBJECT_NAME_BYTES);
  }

  /// Whether the name is one of the daemon's own, there or not.
  private static boolean asksForReserved(Query query) {
    return switch (query) {
      case Query.ByLabel(var label) -> new KeyObject(label, "").isReserved();
      case Query.ByBoth(var object) -> object.isReserved();
      case Query.ById(var _) -> false;
    };
  }

  /// A key whose object is yet to be made, or read.
  private KeyEntry entry(
      KeyId id,
      KeySpec spec,
      KeyOrigin origin,
      String description,
      KeyObject object,
      List<String> tokenSerials) {
    return new KeyEntry(
        id,
        spec,
        KeyState.CREATING,
        origin,
        Instant.ofEpochMilli(clock.millis()),
        description,
        1,
        tokenSerials,
        object,
        null,
        null,
        Set.of());
  }

  /// Tells everything about a key but the key itself.
  public KeyEntry describeKey(Caller caller, String given) {
    Shape.keyId("key_id", given);
    return availability.told(keys.require(caller.principal(), Action.DESCRIBE_KEY, given));
  }

  /// A page of keys, ordered by id.
  public void listKeys(Caller caller, PageRequest page, Reply<Page<KeyId>> reply) {
    keys.requireOnAllKeys(caller.principal(), Action.LIST_KEYS);
    Replies.send(
        caller,
        registry
            .listKeys(page.after(), page.size() + 1)
            .thenApply(found -> Page.of(found, page, KeyId::value)),
        reply,
        Failures::ofRegistry);
  }

  public ArnScope scope() {
    return registry.scope();
  }

  private static Function<Throwable, Failure> failure(KeyEntry key) {
    return e -> Failures.of(e, key);
  }
}

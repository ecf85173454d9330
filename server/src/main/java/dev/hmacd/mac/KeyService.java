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
import dev.hmacd.token.Lanes;
import dev.hmacd.token.TokenException;
import dev.hmacd.token.TokenSession;
import dev.hmacd.token.TokenSession.Query;
import java.nio.charset.StandardCharsets;
import java.time.Clock;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.function.Function;

/// Makes, adopts, describes and names keys. Never blocks: replies come on a lane or on the
/// registry's thread.
@ThreadSafe
@SuppressWarnings("ThreadSafe") // Its parts are thread-safe and say so.
public final class KeyService {
  private static final byte[] TRIAL = "hmacd adoption".getBytes(StandardCharsets.UTF_8);

  private final Keys keys;
  private final KeyRegistry registry;
  private final KeyMaker maker;
  private final Lanes lanes;
  private final Availability availability;
  private final String tokenSerial;
  private final Clock clock;

  /// @param tokenSerial the token that new keys are made on
  public KeyService(
      KeyRegistry registry,
      Access access,
      KeyMaker maker,
      Lanes lanes,
      Availability availability,
      String tokenSerial,
      Clock clock) {
    this.keys = new Keys(registry, access);
    this.registry = registry;
    this.maker = maker;
    this.lanes = lanes;
    this.availability = availability;
    this.tokenSerial = tokenSerial;
    this.clock = clock;
  }

  /// Makes a key in the HSM.
  public void createKey(
      Caller caller, KeySpec spec, String description, List<Tag> tags, Reply<KeyEntry> reply) {
    Shape.description(description);
    TagService.requireFit(tags);
    keys.requireOnAllKeys(caller.principal(), Action.CREATE_KEY);
    KeyId id = KeyId.random();
    KeyEntry key =
        entry(id, spec, KeyOrigin.GENERATED, description, KeyObject.of(id, 1), Optional.empty());
    Replies.send(caller, maker.make(key, tags, caller.deadlineNanos()), reply, failure(key));
  }

  /// Takes a key into service that a key ceremony put on the token.
  ///
  /// The object must have the attributes of a key that may be used, be the only one that fits the
  /// query, and give a MAC on trial.
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
        lanes
            .submit(session -> session.find(query), true, caller.deadlineNanos())
            .exceptionally(
                e -> {
                  throw failedTrial(e);
                })
            .thenApply(KeyService::only)
            .thenCompose(found -> tried(found, spec, caller))
            .thenApply(
                found ->
                    entry(
                        id,
                        spec,
                        KeyOrigin.ADOPTED,
                        description,
                        found.object(),
                        Optional.of(found)))
            .thenCompose(key -> registry.insert(key, tags));
    KeyEntry forFailures =
        entry(id, spec, KeyOrigin.ADOPTED, "", KeyObject.of(id, 1), Optional.empty());
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

  private static TokenSession.Found only(List<TokenSession.Found> found) {
    // First of all, so that nothing about the daemon's own keys can be learned.
    if (found.stream().anyMatch(each -> each.object().isReserved())) {
      throw new Refusal(new Failure.ObjectReserved());
    }
    if (found.isEmpty()) {
      throw new Refusal(new Failure.ObjectNotFound());
    }
    if (found.size() > 1) {
      throw new Refusal(new Failure.ObjectAmbiguous());
    }
    TokenSession.Found only = found.getFirst();
    only.attributes()
        .unfit()
        .ifPresent(
            unfit -> {
              throw new Refusal(new Failure.ObjectUnfit(unfit));
            });
    return only;
  }

  private CompletableFuture<TokenSession.Found> tried(
      TokenSession.Found found, KeySpec spec, Caller caller) {
    return lanes
        .submit(
            session -> {
              long handle = session.load(found.object());
              try {
                session.sign(handle, spec.algorithm(), TRIAL);
              } finally {
                session.unload(handle);
              }
              return found;
            },
            true,
            caller.deadlineNanos())
        .exceptionally(
            e -> {
              throw failedTrial(e);
            });
  }

  /// A lane that failed has tried twice, so what the token said of the key holds. There is no key
  /// yet that could be unavailable: what was found may have gone meanwhile.
  private static RuntimeException failedTrial(Throwable e) {
    if (Failures.unwrap(e) instanceof TokenException refused) {
      if (refused.unfit().isPresent()) {
        return new Refusal(new Failure.ObjectUnfit(refused.unfit().get()));
      }
      if (refused.kind() == TokenException.Kind.KEY_MISSING) {
        return new Refusal(new Failure.ObjectNotFound());
      }
      if (refused.kind() == TokenException.Kind.KEY_AMBIGUOUS) {
        return new Refusal(new Failure.ObjectAmbiguous());
      }
    }
    return new CompletionException(Failures.unwrap(e));
  }

  private KeyEntry entry(
      KeyId id,
      KeySpec spec,
      KeyOrigin origin,
      String description,
      KeyObject object,
      Optional<TokenSession.Found> found) {
    return new KeyEntry(
        id,
        spec,
        found.isPresent() ? KeyState.ENABLED : KeyState.CREATING,
        origin,
        Instant.ofEpochMilli(clock.millis()),
        description,
        1,
        tokenSerial,
        object,
        found.map(TokenSession.Found::attributes).orElse(null),
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

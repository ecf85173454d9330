package dev.hmacd.usecase;

import dev.hmacd.access.Access;
import dev.hmacd.access.Action;
import dev.hmacd.access.Decision;
import dev.hmacd.access.Principal;
import dev.hmacd.key.Key;
import dev.hmacd.key.KeyId;
import dev.hmacd.key.KeyReference;
import dev.hmacd.registry.KeyReader;
import dev.hmacd.registry.RegistryException;
import dev.hmacd.registry.cache.Cut;
import dev.hmacd.registry.cache.Entry;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.LongSupplier;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/// Authorizes a request for the key that the request names. Every use case looks up its key with
/// this class.
///
/// If the registry has the key in memory, the use case continues at once, on the thread of its
/// caller. Otherwise the request waits until the registry has read the key, and the use case
/// continues on the thread that completes the read: a thread of the registry, or a timer.
///
/// Guesses of key names have a budget ([GuessBudget]). Thread-safe.
public final class KeyAuthorizer {
  /// Maximum number of loads in one look-up. More than one load is needed if a change or an
  /// eviction removes the key from memory before the look-up is repeated.
  private static final int MAX_LOADS = 8;

  private final KeyReader reader;
  private final Access access;
  private final GuessBudget guesses;

  public KeyAuthorizer(KeyReader reader, Access access) {
    this(reader, access, System::nanoTime);
  }

  KeyAuthorizer(KeyReader reader, Access access, LongSupplier nanoTime) {
    this.reader = reader;
    this.access = access;
    this.guesses = new GuessBudget(access, nanoTime);
  }

  /// A look-up of a key for a request.
  ///
  /// @param field name of the field with the key's name, for error messages
  /// @param given the name of the key in the request
  /// @param calls the number of calls for which the request counts while it waits
  private record LookUp(
      Call call,
      Action action,
      String field,
      String given,
      int calls,
      Reply<?> reply,
      Consumer<AuthorizedKey> next) {}

  /// Finds the key that a caller named by id, ARN, alias or alias ARN, and authorizes the action.
  ///
  /// @param calls the number of calls for which the request counts while it waits for the registry
  /// @param reply gets the failure if the request has waited
  /// @param next the rest of the use case; may throw [Refusal]
  /// @throws Refusal [Failure.InvalidKeyId] for a malformed name; [Failure.Denied] if no rule
  ///   allows the action on the key, or the key does not exist; [Failure.KeyNotFound] for a missing
  ///   key if the caller may describe all keys
  void require(
      Call call,
      Action action,
      String given,
      int calls,
      Reply<?> reply,
      Consumer<AuthorizedKey> next) {
    call.concerns(given);
    Cut cut = reader.cut();
    Entry found = reader.find(given);
    if (found != null) {
      next.accept(authorized(call, action, given, calls, found, cut));
    } else {
      load(new LookUp(call, action, "key_id", given, calls, reply, next), MAX_LOADS);
    }
  }

  /// As [#require], for a key that a caller named by id or ARN, but not by alias.
  void requireById(
      Call call,
      Action action,
      String field,
      String given,
      Reply<?> reply,
      Consumer<AuthorizedKey> next) {
    FieldValidation.keyId(field, given);
    call.concerns(given);
    if (!(KeyReference.parse(given, reader.scope()).orElse(null) instanceof KeyReference.Id)) {
      throw new Refusal(new Failure.InvalidKeyId(field, given));
    }
    repeat(new LookUp(call, action, field, given, 1, reply, next), MAX_LOADS);
  }

  private void repeat(LookUp request, int maxLoads) {
    Cut cut = reader.cut();
    Entry found = reader.find(request.given());
    if (found == null) {
      load(request, maxLoads);
      return;
    }
    AuthorizedKey key;
    try {
      key =
          authorized(
              request.call(), request.action(), request.given(), request.calls(), found, cut);
    } catch (Refusal e) {
      if (maxLoads < MAX_LOADS && e.failure() instanceof Failure.KeyNotFound) {
        guesses.notFound(request.call());
      }
      throw e;
    }
    request.next().accept(key);
  }

  /// Continues a request after the registry has read its key, or replies with the failure.
  private void load(LookUp request, int maxLoads) {
    if (KeyReference.parse(request.given(), reader.scope()).isEmpty()) {
      throw new Refusal(new Failure.InvalidKeyId(request.field(), request.given()));
    }
    Call call = request.call();
    Reply<?> reply = request.reply();
    guesses.beforeRead(call);
    long rest = Math.max(0, call.deadlineNanos() - System.nanoTime());
    var _ =
        loaded(() -> reader.load(request.given(), call.owner(), request.calls()), maxLoads)
            .orTimeout(rest, TimeUnit.NANOSECONDS)
            .whenComplete(
                (_, failure) -> {
                  if (failure != null) {
                    reply.fail(FailureMapper.ofRegistry(failure));
                  } else if (!reply.isAbandoned()) {
                    proceed(reply, () -> repeat(request, maxLoads - 1));
                  }
                });
  }

  private static CompletableFuture<@Nullable Void> loaded(
      Supplier<CompletableFuture<@Nullable Void>> load, int maxLoads) {
    return maxLoads > 0 ? load.get() : CompletableFuture.failedFuture(RegistryException.evicted());
  }

  private static void proceed(Reply<?> reply, Runnable rest) {
    try {
      rest.run();
    } catch (Refusal refusal) {
      reply.fail(refusal.failure());
    } catch (RuntimeException e) {
      reply.fail(new Failure.Unforeseen(e));
    }
  }

  /// Decides on a key.
  ///
  /// @param cut the cut before the look-up
  private AuthorizedKey authorized(
      Call call, Action action, String given, int calls, Entry found, Cut cut) {
    Principal caller = call.principal();
    Key key = found.value(Key.class);
    if (key == null) {
      throw notFound(call, action, given);
    }
    Object rules = access.version(); // Read before the decision, to detect later changes.
    return switch (access.decide(caller, action, key)) {
      case Decision.Allowed allowed ->
          new AuthorizedKey(key, found, cut, call, calls, action, allowed, rules, this);
      case Decision.Denied denied -> throw denied(call, action, denied);
    };
  }

  private Refusal notFound(Call call, Action action, String given) {
    return access.decideOnAllKeys(call.principal(), Action.DESCRIBE_KEY).isAllowed()
        ? new Refusal(new Failure.KeyNotFound(given))
        : denied(call, action, Decision.NO_RULE);
  }

  private Refusal denied(Call call, Action action, Decision.Denied decision) {
    guesses.denied(call);
    return new Refusal(new Failure.Denied(call.principal(), action, decision));
  }

  /// Authorizes an action that concerns no single key, such as CreateKey.
  ///
  /// @return a check that repeats the access decision at the release of the answer
  Reauthorization requireOnAllKeys(Call call, Action action) {
    return new OnAllKeys(access, call.principal(), action, access.version()).decided();
  }

  /// The authorization of an action that concerns no single key.
  ///
  /// @param rules version of the access rules at the time of the decision
  private record OnAllKeys(Access access, Principal caller, Action action, Object rules)
      implements Reauthorization {
    OnAllKeys decided() {
      if (access.decideOnAllKeys(caller, action) instanceof Decision.Denied denied) {
        throw new Refusal(new Failure.Denied(caller, action, denied));
      }
      return this;
    }

    @Override
    @SuppressWarnings("ReferenceEquality") // As Access.version demands.
    public boolean isCurrent() {
      return access.version() == rules;
    }

    @Override
    public CompletableFuture<Reauthorization> renew() {
      try {
        return CompletableFuture.completedFuture(
            new OnAllKeys(access, caller, action, access.version()).decided());
      } catch (Refusal e) {
        return CompletableFuture.failedFuture(e);
      }
    }
  }

  /// Whether the key's registry entry (with its state and aliases) and the access rules are
  /// unchanged since the access decision.
  @SuppressWarnings("ReferenceEquality") // As Access.version demands.
  boolean isCurrent(AuthorizedKey key) {
    return reader.isCurrent(key.cached(), key.cut()) && access.version() == key.rules();
  }

  /// Repeats an access decision, after the registry entry of the key or the rules have changed.
  ///
  /// @return the new decision for the same key version. Complete at once, unless the registry must
  ///   read the key first. Fails with a [Refusal], or with the exception of the registry
  CompletableFuture<AuthorizedKey> decideAgain(AuthorizedKey before) {
    return decideAgain(before, MAX_LOADS);
  }

  private CompletableFuture<AuthorizedKey> decideAgain(AuthorizedKey before, int maxLoads) {
    Call call = before.call();
    Cut cut = reader.cut();
    // Look-up by key id, because an alias may have moved to another key in the meantime.
    KeyId id = before.entry().id();
    Entry found = reader.find(id);
    if (found == null) {
      return loaded(() -> reader.load(id.value(), call.owner(), before.calls()), maxLoads)
          .thenCompose(_ -> decideAgain(before, maxLoads - 1));
    }
    try {
      AuthorizedKey now = authorized(call, before.action(), id.value(), before.calls(), found, cut);
      KeyStateRules.require(now.action(), now.entry());
      if (!isSameVersion(before.entry(), now.entry())) {
        throw new Refusal(new Failure.KeyUnavailable(id));
      }
      return CompletableFuture.completedFuture(now);
    } catch (Refusal e) {
      return CompletableFuture.failedFuture(e);
    }
  }

  private static boolean isSameVersion(Key before, Key now) {
    return now.currentVersion().number() == before.currentVersion().number()
        && now.object().equals(before.object());
  }
}

package dev.hmacd.usecase;

import com.google.errorprone.annotations.ThreadSafe;
import dev.hmacd.access.Access;
import dev.hmacd.access.Action;
import dev.hmacd.access.Principal;
import dev.hmacd.key.AccessKey;
import dev.hmacd.key.ArnScope;
import dev.hmacd.key.KeyCheck;
import dev.hmacd.key.KeyObject;
import dev.hmacd.key.MacAlgorithm;
import dev.hmacd.key.OwnKey;
import dev.hmacd.registry.AccessKeyRegistry;
import dev.hmacd.registry.KeyRegistry;
import dev.hmacd.registry.RegistryException;
import dev.hmacd.token.Completion;
import dev.hmacd.token.HealthCheck;
import dev.hmacd.token.TokenException;
import dev.hmacd.token.Tokens;
import java.security.SecureRandom;
import java.time.Clock;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Function;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/// Use cases of access keys for the AWS edge, and a cache of their signing keys. Never blocks:
/// replies come on a lane or on the registry's thread.
///
/// A secret is the HSM's MAC of the access key's id, under a key of the daemon's own. The secret is
/// returned once, by CreateAccessKey, and stored nowhere. Memory holds only signing keys, each
/// valid for one day.
@ThreadSafe
@SuppressWarnings("ThreadSafe") // Its parts are thread-safe and say so.
public final class AccessKeyService {
  private static final String DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  private static final int RANDOM_CHARS = 16;

  /// Characters and length of a user name in AWS (IAM, CreateUser).
  private static final Pattern USER = Pattern.compile("[\\w+=,.@-]{1,64}");

  private final Keys keys;
  private final AccessKeyRegistry registry;
  private final Tokens tokens;
  private final ArnScope scope;
  private final Clock clock;
  private final SecureRandom random = new SecureRandom();

  /// By access key id and day. Around midnight, signatures of two days are valid.
  private final Map<String, SigningKey> signingKeys = new ConcurrentHashMap<>();

  /// Derivations in flight, by access key id and day.
  private final Map<String, Derivation> deriving = new ConcurrentHashMap<>();

  private static final int MAX_SIGNING_KEYS = 10_000;

  /// Maximum number of requests that wait for one signing key. A waiting request takes memory until
  /// the token answers, also after its client has gone.
  private static final int MAX_WAITING = 1024;

  private volatile @Nullable Master master;

  /// The key for the derivation of secrets, and the tokens that hold it.
  private record Master(KeyObject key, KeyCheck check, List<String> tokenSerials) {}

  public AccessKeyService(
      KeyRegistry keyRegistry,
      AccessKeyRegistry registry,
      Access access,
      Tokens tokens,
      Clock clock) {
    this.keys = new Keys(keyRegistry, access);
    this.registry = registry;
    this.tokens = tokens;
    this.scope = keyRegistry.scope();
    this.clock = clock;
  }

  /// Sets the key for the derivation of secrets. Call it before the first request.
  ///
  /// @param key the daemon's own key for secrets of access keys; its known answer is compared
  ///   before a derivation, because another key would derive other secrets
  /// @param tokenSerials the tokens that hold it
  public void start(OwnKey key, List<String> tokenSerials) {
    KeyCheck check = KeyCheck.of(key, HealthCheck.ALGORITHM, HealthCheck.message());
    master = new Master(key.object(), check, List.copyOf(tokenSerials));
  }

  /// A new access key with its secret. The secret cannot be read again.
  ///
  /// @param secret closed after the reply has read it
  public record Made(AccessKey key, AccessKeySecret secret) {
    @Override
    public String toString() {
      return key.toString();
    }
  }

  /// Creates an access key, with which a principal signs requests.
  ///
  /// @param principal `arn:PARTITION:iam::ACCOUNT:user/NAME` in this daemon's partition and account
  public void createAccessKey(Call call, String principal, Reply<Made> reply) {
    String prefix = "arn:" + scope.partition() + ":iam::" + scope.account() + ":user/";
    Shape.require(
        principal.startsWith(prefix)
            && USER.matcher(principal.substring(prefix.length())).matches(),
        "principal",
        "must be " + prefix + "NAME, with 1 to 64 letters, digits or any of _+=,.@-");
    var _ = keys.requireOnAllKeys(call, Action.CREATE_ACCESS_KEY);
    String id = newId();
    CompletableFuture<Made> made =
        registry.forOwner(call.principal(), () -> make(call, id, principal));
    Replies.send(call, made, clearing(made, reply), Failures::ofToken);
  }

  private CompletableFuture<Made> make(Call call, String id, String principal) {
    return secret(master(), id, call.deadlineNanos(), call.principal())
        .thenCompose(
            secret -> {
              Instant now = Instant.ofEpochMilli(clock.millis());
              return registry
                  .insert(new AccessKey(id, principal, now, true))
                  .thenApply(key -> new Made(key, secret))
                  .whenComplete(
                      (_, failure) -> {
                        if (failure != null) {
                          secret.close();
                        }
                      });
            });
  }

  /// Clears the secret after the reply has read it, or if it arrives after the deadline.
  private static Reply<Made> clearing(CompletableFuture<Made> made, Reply<Made> reply) {
    return new Reply<>() {
      @Override
      public void succeed(Made value, ReleaseCheck check) {
        try (var _ = value.secret()) {
          reply.succeed(value, check);
        }
      }

      @Override
      public void fail(Failure failure, ReleaseCheck check) {
        var _ = made.thenAccept(late -> late.secret().close());
        reply.fail(failure, check);
      }

      @Override
      public boolean isAbandoned() {
        return reply.isAbandoned();
      }
    };
  }

  private String newId() {
    var id = new StringBuilder(AccessKey.PREFIX);
    for (int i = 0; i < RANDOM_CHARS; i++) {
      id.append(DIGITS.charAt(random.nextInt(DIGITS.length())));
    }
    return id.toString();
  }

  /// A page of access keys, ordered by id.
  public void listAccessKeys(Call call, PageRequest page, Reply<Page<AccessKey>> reply) {
    var _ = keys.requireOnAllKeys(call, Action.LIST_ACCESS_KEYS);
    Replies.send(
        call,
        registry.forOwner(
            call.principal(),
            () ->
                registry
                    .list(page.after(), page.size() + 1)
                    .thenApply(found -> Page.of(found, page, AccessKey::id))),
        reply,
        Failures::ofRegistry);
  }

  /// Disables an access key. It cannot be enabled again.
  public void disableAccessKey(Call call, String id, Reply<AccessKey> reply) {
    var _ = keys.requireOnAllKeys(call, Action.DISABLE_ACCESS_KEY);
    Replies.send(
        call, registry.forOwner(call.principal(), () -> registry.disable(id)), reply, failure(id));
  }

  public void deleteAccessKey(Call call, String id, Reply<AccessKey> reply) {
    var _ = keys.requireOnAllKeys(call, Action.DELETE_ACCESS_KEY);
    Replies.send(
        call, registry.forOwner(call.principal(), () -> registry.delete(id)), reply, failure(id));
  }

  private static Function<Throwable, Failure> failure(String id) {
    return e ->
        Failures.unwrap(e) instanceof RegistryException refused
                && refused.kind() == RegistryException.Kind.ACCESS_KEY_NOT_FOUND
            ? new Failure.AccessKeyNotFound(id)
            : Failures.ofRegistry(e);
  }

  /// The signing key of an access key for a day; empty if the access key does not exist or is
  /// disabled. Complete at once if the signing key is in the cache.
  ///
  /// @param day `yyyymmdd`: today, or the day before or after
  /// @return fails with a [Refusal]
  /// @throws Refusal if too many requests wait for this signing key
  public CompletableFuture<Optional<SigningKey>> signingKey(
      String accessKeyId, String day, long deadlineNanos) {
    Optional<AccessKey> found = registry.find(accessKeyId).filter(AccessKey::active);
    if (found.isEmpty()) {
      return CompletableFuture.completedFuture(Optional.empty());
    }
    String name = accessKeyId + '/' + day;
    SigningKey known = signingKeys.get(name);
    if (known != null) {
      return CompletableFuture.completedFuture(Optional.of(known));
    }
    // One request asks the token for all waiting requests. Between the registration and the call of
    // the token nothing may throw.
    Master master = master();
    var mine = new Derivation();
    Derivation others = deriving.putIfAbsent(name, mine);
    if (others != null) {
      if (others.waiting.incrementAndGet() > MAX_WAITING) {
        throw new Refusal(new Failure.TokenBusy(Failure.Bound.OF_CALLER));
      }
      return others;
    }
    var principal = new Principal(found.get().principal());
    var _ =
        secret(master, accessKeyId, deadlineNanos, null)
            .thenApply(secret -> derive(principal, secret, day, name))
            .whenComplete(
                (derived, e) -> {
                  deriving.remove(name, mine);
                  if (e == null) {
                    mine.complete(Optional.of(derived));
                  } else {
                    mine.completeExceptionally(new Refusal(Failures.ofToken(e)));
                  }
                });
    return mine;
  }

  /// The derivation of a signing key, with its waiting requests.
  private static final class Derivation extends CompletableFuture<Optional<SigningKey>> {
    /// Never decremented: a request may wait longer than its client.
    private final AtomicInteger waiting = new AtomicInteger();
  }

  private SigningKey derive(Principal principal, AccessKeySecret secret, String day, String name) {
    try (secret) {
      var derived = new SigningKey(principal, secret.signingKey(day, scope));
      if (signingKeys.size() >= MAX_SIGNING_KEYS) {
        signingKeys.keySet().removeIf(each -> !each.endsWith('/' + day));
      }
      if (signingKeys.size() >= MAX_SIGNING_KEYS) {
        signingKeys.clear();
      }
      signingKeys.put(name, derived);
      return derived;
    }
  }

  private Master master() {
    Master known = master;
    if (known == null) {
      throw new IllegalStateException("not started");
    }
    return known;
  }

  /// @param owner as [Completion#owner]
  private CompletableFuture<AccessKeySecret> secret(
      Master under, String accessKeyId, long deadlineNanos, @Nullable Object owner) {
    var result = new CompletableFuture<AccessKeySecret>();
    tokens.sign(
        under.key(),
        under.check(),
        under.tokenSerials(),
        MacAlgorithm.HMAC_SHA_256,
        AccessKeySecret.question(accessKeyId),
        deadlineNanos,
        new Completion<>() {
          @Override
          public void done(byte[] mac) {
            result.complete(new AccessKeySecret(mac));
          }

          @Override
          public void failed(TokenException cause) {
            result.completeExceptionally(cause);
          }

          @Override
          public @Nullable Object owner() {
            return owner;
          }
        });
    return result;
  }
}

package dev.hmacd.usecase;

import com.google.errorprone.annotations.ThreadSafe;
import dev.hmacd.access.Action;
import dev.hmacd.key.AccessKey;
import dev.hmacd.key.ArnScope;
import dev.hmacd.key.DaemonKey;
import dev.hmacd.registry.AccessKeyRegistry;
import dev.hmacd.registry.Registry;
import dev.hmacd.registry.RegistryException;
import dev.hmacd.registry.cache.Entry;
import dev.hmacd.sigv4.AccessKeySecret;
import dev.hmacd.sigv4.AccessKeySecrets;
import dev.hmacd.sigv4.SigV4Exception;
import dev.hmacd.sigv4.SigningKey;
import dev.hmacd.sigv4.SigningScope;
import dev.hmacd.token.TokenRouter;
import java.security.SecureRandom;
import java.time.Clock;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/// Use cases of access keys for the AWS edge. No method blocks: results come from a lane or from
/// the registry's thread.
///
/// CreateAccessKey returns a secret ([AccessKeySecrets]) once. The daemon stores no secrets. The
/// daemon keeps only signing keys in memory, each valid for one day.
@ThreadSafe
@SuppressWarnings("ThreadSafe") // All fields are thread-safe.
public final class AccessKeyService {
  private static final String DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  private static final int RANDOM_CHARS = 16;

  /// Maximum number of loads in one look-up of an access key. More than one load is needed if a
  /// change or an eviction removes the access key from memory before the look-up is repeated.
  private static final int MAX_LOADS = 8;

  /// Characters and length of a user name in AWS (IAM, CreateUser).
  private static final Pattern USER = Pattern.compile("[\\w+=,.@-]{1,64}");

  private final KeyAuthorizer authorizer;
  private final AccessKeyRegistry registry;
  private final ArnScope scope;
  private final Clock clock;
  private final SecureRandom random = new SecureRandom();

  private final AccessKeySecrets secrets;
  private final SigningKeyCache signingKeys;

  public AccessKeyService(
      Registry registry, KeyAuthorizer authorizer, TokenRouter tokens, Clock clock) {
    this.authorizer = authorizer;
    this.registry = registry.accessKeys();
    this.scope = registry.keys().scope();
    this.secrets = new AccessKeySecrets(tokens);
    this.signingKeys = new SigningKeyCache(secrets, SigningScope.kms(scope.region()));
    this.clock = clock;
  }

  /// Sets the key from which the HSM derives secrets ([AccessKeySecrets#start]).
  public void start(DaemonKey key, List<String> tokenSerials) {
    secrets.start(key, tokenSerials);
  }

  /// A new access key with its secret. No method returns the secret again.
  ///
  /// @param secret the secret, which is closed after the reply has read it
  public record Made(AccessKey key, AccessKeySecret secret) {
    /// The secret in ASCII. The array is not a copy: the caller must not change it.
    public byte[] secretText() {
      return secret.text();
    }

    @Override
    public String toString() {
      return key.toString();
    }
  }

  /// Creates an access key, with which the principal signs requests to the AWS KMS edge.
  ///
  /// @param principal `arn:PARTITION:iam::ACCOUNT:user/NAME` in this daemon's partition and account
  public void createAccessKey(Call call, String principal, Reply<Made> reply) {
    String prefix = "arn:" + scope.partition() + ":iam::" + scope.account() + ":user/";
    FieldValidation.require(
        principal.startsWith(prefix)
            && USER.matcher(principal.substring(prefix.length())).matches(),
        "principal",
        "must be " + prefix + "NAME; NAME has 1 to 64 letters, digits or any of _+=,.@-");
    var _ = authorizer.requireOnAllKeys(call, Action.CREATE_ACCESS_KEY);
    String id = newId();
    CompletableFuture<Made> made = registry.forOwner(call.owner(), () -> make(call, id, principal));
    ReplyCompleter.complete(call, made, clearing(made, reply), FailureMapper::ofToken);
  }

  private CompletableFuture<Made> make(Call call, String id, String principal) {
    return secrets
        .derive(id, call.deadlineNanos(), call.owner())
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

  /// Wraps a reply: clears the secret after the reply has used it, or when the secret arrives after
  /// the deadline.
  private static Reply<Made> clearing(CompletableFuture<Made> made, Reply<Made> reply) {
    return new Reply<>() {
      @Override
      public void succeed(Made value, Reauthorization check) {
        try (var _ = value.secret()) {
          reply.succeed(value, check);
        }
      }

      @Override
      public void fail(Failure failure, Reauthorization check) {
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

  /// Returns a page of access keys, ordered by id.
  public void listAccessKeys(Call call, PageRequest page, Reply<Page<AccessKey>> reply) {
    var _ = authorizer.requireOnAllKeys(call, Action.LIST_ACCESS_KEYS);
    ReplyCompleter.complete(
        call,
        registry.forOwner(
            call.owner(),
            () ->
                registry
                    .list(page.after(), page.size() + 1)
                    .thenApply(found -> Page.of(found, page, AccessKey::id))),
        reply,
        FailureMapper::ofRegistry);
  }

  /// Disables an access key. A disabled access key cannot be enabled again.
  ///
  /// @param id 1 to [FieldValidation#MAX_ACCESS_KEY_ID_CHARS] characters
  public void disableAccessKey(Call call, String id, Reply<AccessKey> reply) {
    FieldValidation.accessKeyId(id);
    var _ = authorizer.requireOnAllKeys(call, Action.DISABLE_ACCESS_KEY);
    ReplyCompleter.complete(call, registry.disable(call.owner(), id), reply, failure(id));
  }

  /// Deletes an access key.
  ///
  /// @param id 1 to [FieldValidation#MAX_ACCESS_KEY_ID_CHARS] characters
  public void deleteAccessKey(Call call, String id, Reply<AccessKey> reply) {
    FieldValidation.accessKeyId(id);
    var _ = authorizer.requireOnAllKeys(call, Action.DELETE_ACCESS_KEY);
    ReplyCompleter.complete(call, registry.delete(call.owner(), id), reply, failure(id));
  }

  private static Function<Throwable, Failure> failure(String id) {
    return e ->
        FailureMapper.unwrap(e) instanceof RegistryException refused
                && refused.kind() == RegistryException.Kind.ACCESS_KEY_NOT_FOUND
            ? new Failure.AccessKeyNotFound(id)
            : FailureMapper.ofRegistry(e);
  }

  /// Returns the SigV4 signing key of an access key for one UTC date. The future is already
  /// complete if the registry has the access key in memory, and the cache has the signing key.
  ///
  /// @param day UTC date, as `yyyymmdd`: today, or the day before or after
  /// @return a future that can fail with a [Refusal], and with [SigV4Exception#unknownKey] if the
  ///   access key does not exist or is disabled
  /// @throws Refusal if too many requests wait for this signing key
  public CompletableFuture<SigningKey> signingKey(
      String accessKeyId, String day, long deadlineNanos) {
    Entry known = registry.find(accessKeyId);
    if (known == null) {
      return byDeadline(
              loaded(accessKeyId, registry::loadUnauthenticated, MAX_LOADS), deadlineNanos)
          .thenCompose(found -> derived(found, accessKeyId, day, deadlineNanos));
    }
    return derived(
        Optional.ofNullable(known.value(AccessKey.class)), accessKeyId, day, deadlineNanos);
  }

  private CompletableFuture<SigningKey> derived(
      Optional<AccessKey> found, String accessKeyId, String day, long deadlineNanos) {
    if (found.filter(AccessKey::active).isEmpty()) {
      return CompletableFuture.failedFuture(SigV4Exception.unknownKey());
    }
    CompletableFuture<SigningKey> derived = signingKeys.get(found.get(), day, deadlineNanos);
    return derived.isDone()
        ? derived
        : derived.thenCompose(key -> ifStillActive(key, accessKeyId, deadlineNanos));
  }

  /// The access key may have been disabled during the derivation.
  private CompletableFuture<SigningKey> ifStillActive(
      SigningKey key, String accessKeyId, long deadlineNanos) {
    return byDeadline(loaded(accessKeyId, registry::load, MAX_LOADS), deadlineNanos)
        .thenApply(
            found -> {
              if (found.filter(AccessKey::active).isEmpty()) {
                throw SigV4Exception.unknownKey();
              }
              return key;
            });
  }

  /// The result of a look-up, or a [Refusal].
  private static CompletableFuture<Optional<AccessKey>> byDeadline(
      CompletableFuture<Optional<AccessKey>> look, long deadlineNanos) {
    return look.orTimeout(Math.max(0, deadlineNanos - System.nanoTime()), TimeUnit.NANOSECONDS)
        .exceptionally(
            e -> {
              throw new Refusal(FailureMapper.ofRegistry(e));
            });
  }

  private CompletableFuture<Optional<AccessKey>> loaded(
      String id, Function<String, CompletableFuture<@Nullable Void>> load, int maxLoads) {
    Entry known = registry.find(id);
    if (known != null) {
      return CompletableFuture.completedFuture(Optional.ofNullable(known.value(AccessKey.class)));
    }
    if (maxLoads == 0) {
      return CompletableFuture.failedFuture(RegistryException.evicted());
    }
    return load.apply(id).thenCompose(_ -> loaded(id, load, maxLoads - 1));
  }

  /// Whether the access key is known to exist and to be active, from memory alone.
  public boolean isKnownActive(String accessKeyId) {
    Entry known = registry.find(accessKeyId);
    AccessKey key = known == null ? null : known.value(AccessKey.class);
    return key != null && key.active();
  }

  /// Whether the access key exists and is active.
  ///
  /// @return a future, which is incomplete while the registry reads the access key; fails with a
  ///   [RegistryException]
  public CompletableFuture<Boolean> isActive(String accessKeyId) {
    return loaded(accessKeyId, registry::load, MAX_LOADS)
        .thenApply(found -> found.filter(AccessKey::active).isPresent());
  }
}

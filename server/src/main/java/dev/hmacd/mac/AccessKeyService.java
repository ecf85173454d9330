package dev.hmacd.mac;

import com.google.errorprone.annotations.ThreadSafe;
import dev.hmacd.access.Access;
import dev.hmacd.access.Action;
import dev.hmacd.access.Principal;
import dev.hmacd.key.AccessKey;
import dev.hmacd.key.AccessKeyRegistry;
import dev.hmacd.key.ArnScope;
import dev.hmacd.key.KeyObject;
import dev.hmacd.key.KeyRegistry;
import dev.hmacd.key.MacAlgorithm;
import dev.hmacd.key.OwnKey;
import dev.hmacd.key.RegistryException;
import dev.hmacd.token.Completion;
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
import java.util.function.Function;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/// Makes access keys for the AWS edge, and finds what their requests are signed with. Never blocks:
/// replies come on a lane or on the registry's thread.
///
/// A secret is the HSM's MAC of the access key's id, under a key of the daemon's own. It is shown
/// once, when the access key is made, and stored nowhere; memory holds only what is derived from it
/// for a day.
@ThreadSafe
@SuppressWarnings("ThreadSafe") // Its parts are thread-safe and say so.
public final class AccessKeyService {
  private static final String DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  private static final int RANDOM_CHARS = 16;

  /// AWS's characters of a user name (IAM, CreateUser).
  private static final Pattern USER = Pattern.compile("[\\w+=,.@-]{1,64}");

  private final Keys keys;
  private final AccessKeyRegistry registry;
  private final Tokens tokens;
  private final ArnScope scope;
  private final Clock clock;
  private final SecureRandom random = new SecureRandom();

  /// By access key id and day. Two days can be in force at once, around midnight.
  private final Map<String, SigningKey> signingKeys = new ConcurrentHashMap<>();

  /// Those that the token is asked for, by the same names.
  private final Map<String, CompletableFuture<Optional<SigningKey>>> deriving =
      new ConcurrentHashMap<>();

  private static final int MAX_SIGNING_KEYS = 10_000;

  private volatile @Nullable Master master;

  /// What secrets are derived under, and the tokens that hold it.
  private record Master(KeyObject key, List<String> tokenSerials) {}

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

  /// To be called before anything is asked.
  ///
  /// @param key the daemon's own, which secrets are derived under
  /// @param tokenSerials the tokens that hold it
  public void start(OwnKey key, List<String> tokenSerials) {
    master = new Master(key.object(), List.copyOf(tokenSerials));
  }

  /// An access key that was made, and its secret, which is not to be had again.
  ///
  /// @param secret closed when the reply has taken it
  public record Made(AccessKey key, AccessKeySecret secret) {
    @Override
    public String toString() {
      return key.toString();
    }
  }

  /// Lets a principal sign requests.
  ///
  /// @param principal `arn:PARTITION:iam::ACCOUNT:user/NAME` in this daemon's partition and account
  public void createAccessKey(Caller caller, String principal, Reply<Made> reply) {
    String prefix = "arn:" + scope.partition() + ":iam::" + scope.account() + ":user/";
    Shape.require(
        principal.startsWith(prefix)
            && USER.matcher(principal.substring(prefix.length())).matches(),
        "principal",
        "must be " + prefix + "NAME, with 1 to 64 letters, digits or any of _+=,.@-");
    keys.requireOnAllKeys(caller.principal(), Action.CREATE_ACCESS_KEY);
    String id = newId();
    CompletableFuture<Made> made =
        secret(master(), id, caller.deadlineNanos())
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
    Replies.send(caller, made, clearing(made, reply), Failures::ofToken);
  }

  /// Clears the secret when the reply has taken it, or when it comes too late to be taken.
  private static Reply<Made> clearing(CompletableFuture<Made> made, Reply<Made> reply) {
    return new Reply<>() {
      @Override
      public void succeed(Made value) {
        try (var _ = value.secret()) {
          reply.succeed(value);
        }
      }

      @Override
      public void fail(Failure failure) {
        var _ = made.thenAccept(late -> late.secret().close());
        reply.fail(failure);
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
  public void listAccessKeys(Caller caller, PageRequest page, Reply<Page<AccessKey>> reply) {
    keys.requireOnAllKeys(caller.principal(), Action.LIST_ACCESS_KEYS);
    Replies.send(
        caller,
        registry
            .list(page.after(), page.size() + 1)
            .thenApply(found -> Page.of(found, page, AccessKey::id)),
        reply,
        Failures::ofRegistry);
  }

  /// Keeps an access key from being used, for good.
  public void disableAccessKey(Caller caller, String id, Reply<AccessKey> reply) {
    keys.requireOnAllKeys(caller.principal(), Action.DISABLE_ACCESS_KEY);
    Replies.send(caller, registry.disable(id), reply, failure(id));
  }

  public void deleteAccessKey(Caller caller, String id, Reply<AccessKey> reply) {
    keys.requireOnAllKeys(caller.principal(), Action.DELETE_ACCESS_KEY);
    Replies.send(caller, registry.delete(id), reply, failure(id));
  }

  private static Function<Throwable, Failure> failure(String id) {
    return e ->
        Failures.unwrap(e) instanceof RegistryException refused
                && refused.kind() == RegistryException.Kind.ACCESS_KEY_NOT_FOUND
            ? new Failure.AccessKeyNotFound(id)
            : Failures.ofRegistry(e);
  }

  /// What an access key's requests of a day are signed with; empty for one that does not exist or
  /// is disabled. Already complete when the day's first request has been seen.
  ///
  /// @param day `yyyymmdd`, today or next to it
  /// @return fails with a [Refusal]
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
    // One request asks the token, however many wait. Nothing may throw while they do.
    Master master = master();
    var mine = new CompletableFuture<Optional<SigningKey>>();
    CompletableFuture<Optional<SigningKey>> others = deriving.putIfAbsent(name, mine);
    if (others != null) {
      return others;
    }
    var principal = new Principal(found.get().principal());
    var _ =
        secret(master, accessKeyId, deadlineNanos)
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

  private CompletableFuture<AccessKeySecret> secret(
      Master under, String accessKeyId, long deadlineNanos) {
    var result = new CompletableFuture<AccessKeySecret>();
    tokens.sign(
        under.key(),
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
        });
    return result;
  }
}

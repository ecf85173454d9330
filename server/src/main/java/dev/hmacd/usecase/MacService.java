package dev.hmacd.usecase;

import com.google.errorprone.annotations.ThreadSafe;
import dev.hmacd.access.Action;
import dev.hmacd.key.ArnScope;
import dev.hmacd.key.Key;
import dev.hmacd.key.KeyCheckValue;
import dev.hmacd.key.KeySpec;
import dev.hmacd.limit.Owner;
import dev.hmacd.registry.Registry;
import dev.hmacd.token.Completion;
import dev.hmacd.token.SignRequest;
import dev.hmacd.token.TokenException;
import dev.hmacd.token.TokenRouter;
import java.security.MessageDigest;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/// Use cases that compute and verify MACs.
///
/// No method blocks: a method returns after the message is in the work queue, and a lane completes
/// the reply. The use case checks a request in the order of AWS KMS: key look-up, authorization,
/// key state, algorithm, PKCS#11 token, comparison of the MAC, dry run.
@ThreadSafe
@SuppressWarnings(
    "ThreadSafe") // The registry and TokenRouter are thread-safe, Access is annotated.
public final class MacService {
  private final KeyAuthorizer authorizer;
  private final ArnScope scope;
  private final TokenRouter tokens;
  private final UnavailableKeys unavailableKeys;
  private final TrustOnFirstUse trustOnFirstUse;

  public MacService(
      Registry registry,
      KeyAuthorizer authorizer,
      TokenRouter tokens,
      UnavailableKeys unavailableKeys) {
    this.authorizer = authorizer;
    this.scope = registry.keys().scope();
    this.tokens = tokens;
    this.unavailableKeys = unavailableKeys;
    this.trustOnFirstUse = new TrustOnFirstUse(registry.writer(), tokens);
  }

  /// Computes a MAC.
  ///
  /// @throws Refusal if the call fails before it reaches the token
  public void generateMac(Call call, MacRequest request, Reply<MacResult> reply) {
    requireUsable(
        call,
        Action.GENERATE_MAC,
        request,
        reply,
        key ->
            sign(
                new MacCompletion(call, key, request, reply) {
                  @Override
                  void computed(byte[] mac) {
                    end(mac);
                  }
                }));
  }

  /// Verifies a MAC: computes the MAC again and compares both MACs, in constant time and full
  /// length.
  ///
  /// @param mac the MAC to verify; not copied, so the caller must not change the array
  /// @throws Refusal if the call fails before it reaches the token
  public void verifyMac(Call call, MacRequest request, byte[] mac, Reply<MacResult> reply) {
    FieldValidation.bytes("mac", mac.length, MacRequest.MAX_MAC_BYTES);
    requireUsable(
        call,
        Action.VERIFY_MAC,
        request,
        reply,
        key ->
            sign(
                new MacCompletion(call, key, request, reply) {
                  @Override
                  void computed(byte[] expected) {
                    if (MessageDigest.isEqual(expected, mac)) {
                      end(expected);
                    } else {
                      fail(new Failure.InvalidMac());
                    }
                  }
                }));
  }

  private void requireUsable(
      Call call,
      Action action,
      MacRequest request,
      Reply<MacResult> reply,
      Consumer<AuthorizedKey> next) {
    int calls = SignRequest.pieces(request.message().length);
    authorizer.require(
        call,
        action,
        request.keyId(),
        calls,
        reply,
        key -> {
          KeyStateRules.require(action, key.entry());
          KeySpec spec = key.entry().spec();
          if (spec.algorithm() != request.algorithm()) {
            throw new Refusal(new Failure.AlgorithmMismatch(spec, request.algorithm()));
          }
          next.accept(key);
        });
  }

  /// Computes the MAC. If the key has no check value, the check value is computed and stored first.
  private void sign(MacCompletion completion) {
    Call call = completion.call;
    Key key = completion.key.entry();
    if (key.check() != null) {
      compute(completion, key.check());
      return;
    }
    long rest = Math.max(0, call.deadlineNanos() - System.nanoTime());
    var _ =
        trustOnFirstUse
            .withCheckValue(key, call.owner(), completion.request.message().length)
            .copy()
            .orTimeout(rest, TimeUnit.NANOSECONDS)
            .whenComplete(
                (withCheckValue, e) -> {
                  if (e == null) {
                    // The stored check value has changed the key.
                    completion.renew(() -> compute(completion, withCheckValue.check()));
                  } else if (FailureMapper.unwrap(e) instanceof TokenException cause) {
                    completion.failed(cause);
                  } else {
                    completion.reply.fail(FailureMapper.ofRegistry(e));
                  }
                });
  }

  private void compute(MacCompletion completion, @Nullable KeyCheckValue check) {
    tokens.sign(
        completion.key.entry().tokenSerials(),
        completion.key.signRequest(check, completion.request, completion.call.deadlineNanos()),
        completion);
  }

  private abstract class MacCompletion implements Completion<byte[]> {
    private final Call call;
    private final MacRequest request;
    private final Reply<MacResult> reply;

    /// The newest access decision. The use case sets it before the operation, and then a lane.
    private volatile AuthorizedKey key;

    /// The decision that a lane has begun to repeat, while the registry reads the key. A lane
    /// writes this field before it fails the operation with [TokenException.Kind#WITHDRAWN].
    private volatile @Nullable CompletableFuture<Reauthorization> renewal;

    MacCompletion(Call call, AuthorizedKey key, MacRequest request, Reply<MacResult> reply) {
      this.call = call;
      this.key = key;
      this.request = request;
      this.reply = reply;
    }

    abstract void computed(byte[] mac);

    @Override
    public final void done(byte[] mac) {
      unavailableKeys.markAvailable(key.entry().id());
      computed(mac);
    }

    void end(byte[] mac) {
      if (request.isDryRun()) {
        fail(new Failure.DryRun());
      } else {
        Key entry = key.entry();
        reply.succeed(
            new MacResult(
                scope.keyArn(entry.id()),
                entry.currentVersion().number(),
                request.algorithm(),
                mac),
            key);
      }
    }

    /// Replies with a failure that discloses the result of a MAC, so the reauthorization must run
    /// first.
    final void fail(Failure failure) {
      reply.fail(failure, key);
    }

    /// Whether the credentials or the access decision do not hold any more, or cannot be checked
    /// without a read of the registry.
    @Override
    public boolean isWithdrawn() {
      if (call.isCurrent(key)) {
        return false;
      }
      CompletableFuture<Reauthorization> repeated = call.renewal(key);
      if (repeated.isDone() && !repeated.isCompletedExceptionally()) {
        key = (AuthorizedKey) repeated.resultNow();
        return false;
      }
      renewal = repeated;
      return true;
    }

    /// Checks the credentials and the authorization again, and continues if they hold.
    void renew(Runnable next) {
      proceedAfter(call.renewal(key), next);
    }

    private void proceedAfter(CompletableFuture<Reauthorization> repeated, Runnable next) {
      var _ =
          repeated.whenComplete(
              (renewed, e) -> {
                if (e != null) {
                  reply.fail(FailureMapper.ofRegistry(e));
                } else if (!isAbandoned()) {
                  key = (AuthorizedKey) renewed;
                  proceed(next);
                }
              });
    }

    private void proceed(Runnable next) {
      try {
        next.run();
      } catch (RuntimeException e) {
        reply.fail(new Failure.Unforeseen(e));
      }
    }

    @Override
    public void failed(TokenException cause) {
      CompletableFuture<Reauthorization> repeated = renewal;
      if (cause.kind() == TokenException.Kind.WITHDRAWN && repeated != null) {
        renewal = null;
        proceedAfter(repeated, () -> sign(this));
        return;
      }
      Failure failure =
          cause.kind() == TokenException.Kind.MESSAGE_TOO_LONG
              ? Failure.MessageTooLong.forTheToken(request.message().length)
              : FailureMapper.of(cause, key.entry());
      if (failure instanceof Failure.KeyUnavailable) {
        unavailableKeys.markUnavailable(key.entry().id());
      }
      reply.fail(failure);
    }

    @Override
    public boolean isAbandoned() {
      return reply.isAbandoned();
    }

    @Override
    public Owner owner() {
      return call.owner();
    }
  }
}

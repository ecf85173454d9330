package dev.hmacd.usecase;

import com.google.errorprone.annotations.ThreadSafe;
import dev.hmacd.access.Access;
import dev.hmacd.access.Action;
import dev.hmacd.key.ArnScope;
import dev.hmacd.key.Key;
import dev.hmacd.key.KeyCheckValue;
import dev.hmacd.key.KeySpec;
import dev.hmacd.limit.Owner;
import dev.hmacd.registry.Registry;
import dev.hmacd.token.Completion;
import dev.hmacd.token.TokenException;
import dev.hmacd.token.TokenRouter;
import java.security.MessageDigest;
import java.util.concurrent.TimeUnit;
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
      Registry registry, Access access, TokenRouter tokens, UnavailableKeys unavailableKeys) {
    this.authorizer = new KeyAuthorizer(registry.keys(), access);
    this.scope = registry.keys().scope();
    this.tokens = tokens;
    this.unavailableKeys = unavailableKeys;
    this.trustOnFirstUse = new TrustOnFirstUse(registry.writer(), tokens);
  }

  /// Computes a MAC.
  ///
  /// @throws Refusal if the call fails before it reaches the token
  public void generateMac(Call call, MacRequest request, Reply<MacResult> reply) {
    AuthorizedKey key = usable(call, Action.GENERATE_MAC, request);
    sign(
        call,
        key,
        request,
        new MacCompletion(call, key, request, reply) {
          @Override
          void computed(byte[] mac) {
            end(mac);
          }
        });
  }

  /// Verifies a MAC: computes the MAC again and compares both MACs, in constant time and full
  /// length.
  ///
  /// @param mac the MAC to verify; not copied, so the caller must not change the array
  /// @throws Refusal if the call fails before it reaches the token
  public void verifyMac(Call call, MacRequest request, byte[] mac, Reply<MacResult> reply) {
    FieldValidation.bytes("mac", mac.length, MacRequest.MAX_MAC_BYTES);
    AuthorizedKey key = usable(call, Action.VERIFY_MAC, request);
    sign(
        call,
        key,
        request,
        new MacCompletion(call, key, request, reply) {
          @Override
          void computed(byte[] expected) {
            if (MessageDigest.isEqual(expected, mac)) {
              end(expected);
            } else {
              fail(new Failure.InvalidMac());
            }
          }
        });
  }

  /// Computes the MAC. If the key has no check value, the check value is computed and stored first.
  private void sign(Call call, AuthorizedKey key, MacRequest request, MacCompletion completion) {
    KeyCheckValue check = key.entry().check();
    if (check != null) {
      compute(call, key, check, request, completion);
      return;
    }
    long rest = Math.max(0, call.deadlineNanos() - System.nanoTime());
    var _ =
        trustOnFirstUse
            .withCheckValue(key.entry(), call.owner(), request.message().length)
            .copy()
            .orTimeout(rest, TimeUnit.NANOSECONDS)
            .whenComplete(
                (withCheckValue, e) -> {
                  if (e == null) {
                    computeIfStillUsable(call, key, withCheckValue, request, completion);
                  } else if (FailureMapper.unwrap(e) instanceof TokenException cause) {
                    completion.failed(cause);
                  } else {
                    completion.reply.fail(FailureMapper.ofRegistry(e));
                  }
                });
  }

  /// Checks credentials, authorization and key state again after the wait for the check value.
  private void computeIfStillUsable(
      Call call,
      AuthorizedKey key,
      Key withCheckValue,
      MacRequest request,
      MacCompletion completion) {
    if (completion.isAbandoned()) {
      return;
    }
    Failure refusal = call.refusal(key);
    if (refusal != null) {
      completion.reply.fail(refusal);
      return;
    }
    compute(call, key, withCheckValue.check(), request, completion);
  }

  private void compute(
      Call call,
      AuthorizedKey key,
      @Nullable KeyCheckValue check,
      MacRequest request,
      MacCompletion completion) {
    tokens.sign(
        key.entry().tokenSerials(),
        key.signRequest(check, request, call.deadlineNanos()),
        completion);
  }

  private AuthorizedKey usable(Call call, Action action, MacRequest request) {
    AuthorizedKey key = authorizer.require(call, action, request.keyId());
    KeyStateRules.require(action, key.entry());
    KeySpec spec = key.entry().spec();
    if (spec.algorithm() != request.algorithm()) {
      throw new Refusal(new Failure.AlgorithmMismatch(spec, request.algorithm()));
    }
    return key;
  }

  private abstract class MacCompletion implements Completion<byte[]> {
    private final Call call;
    private final AuthorizedKey key;
    private final MacRequest request;
    private final Reply<MacResult> reply;

    /// The failure of the access decision that a lane repeated before the operation. A lane writes
    /// this field before it fails the operation with [TokenException.Kind#WITHDRAWN].
    private volatile @Nullable Failure withdrawal;

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

    /// Whether the caller's credentials are not valid any more, or the access decision was
    /// withdrawn: repeats the decision if the key or the access rules have changed.
    @Override
    public boolean isWithdrawn() {
      Failure refusal = call.refusal(key);
      if (refusal == null) {
        return false;
      }
      withdrawal = refusal;
      return true;
    }

    @Override
    public void failed(TokenException cause) {
      Failure refusal = withdrawal;
      if (cause.kind() == TokenException.Kind.WITHDRAWN && refusal != null) {
        reply.fail(refusal);
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

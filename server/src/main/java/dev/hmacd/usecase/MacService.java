package dev.hmacd.usecase;

import com.google.errorprone.annotations.ThreadSafe;
import dev.hmacd.access.Access;
import dev.hmacd.access.Action;
import dev.hmacd.key.ArnScope;
import dev.hmacd.key.KeyEntry;
import dev.hmacd.registry.Registry;
import dev.hmacd.token.Completion;
import dev.hmacd.token.SignRequest;
import dev.hmacd.token.TokenException;
import dev.hmacd.token.TokenRouter;
import java.security.MessageDigest;
import java.util.concurrent.TimeUnit;

/// Use cases that compute and verify MACs.
///
/// Never blocks: a call returns after its message is in the queue, and the lane completes the
/// reply. Checks are in the order of AWS KMS: look-up, authorization, state, algorithm, token,
/// comparison, dry run.
@ThreadSafe
@SuppressWarnings("ThreadSafe") // The registry and TokenRouter are thread-safe, Access is annotated.
public final class MacService {
  private final Keys keys;
  private final ArnScope scope;
  private final TokenRouter tokens;
  private final Availability availability;
  private final FirstUse firstUse;

  public MacService(Registry registry, Access access, TokenRouter tokens, Availability availability) {
    this.keys = new Keys(registry.keys(), access);
    this.scope = registry.keys().scope();
    this.tokens = tokens;
    this.availability = availability;
    this.firstUse = new FirstUse(registry.writer(), tokens);
  }

  /// Computes a MAC.
  ///
  /// @throws Refusal if the call fails before it reaches the token
  public void generateMac(Caller caller, MacRequest request, Reply<MacAnswer> reply) {
    KeyEntry key = usable(caller, Action.GENERATE_MAC, request);
    sign(
        caller,
        Action.GENERATE_MAC,
        key,
        request,
        new MacCompletion(caller, key, reply) {
          @Override
          void computed(byte[] mac) {
            end(request, mac);
          }
        });
  }

  /// Computes the MAC again and compares it with the given one, in constant time and full length.
  ///
  /// @param mac not copied: the caller must not change it afterwards
  /// @throws Refusal if the call fails before it reaches the token
  public void verifyMac(Caller caller, MacRequest request, byte[] mac, Reply<MacAnswer> reply) {
    Shape.bytes("mac", mac.length, MacRequest.MAX_MAC_BYTES);
    KeyEntry key = usable(caller, Action.VERIFY_MAC, request);
    sign(
        caller,
        Action.VERIFY_MAC,
        key,
        request,
        new MacCompletion(caller, key, reply) {
          @Override
          void computed(byte[] expected) {
            if (MessageDigest.isEqual(expected, mac)) {
              end(request, expected);
            } else {
              reply.fail(new Failure.InvalidMac());
            }
          }
        });
  }

  /// Computes the MAC, after the check value is stored if the key has none.
  private void sign(
      Caller caller, Action action, KeyEntry key, MacRequest request, MacCompletion completion) {
    if (key.check() != null) {
      compute(caller, key, request, completion);
      return;
    }
    long rest = Math.max(0, caller.deadlineNanos() - System.nanoTime());
    var _ =
        firstUse
            .recognised(key, caller.principal())
            .copy()
            .orTimeout(rest, TimeUnit.NANOSECONDS)
            .whenComplete(
                (recognised, e) -> {
                  if (e == null) {
                    computeIfStillUsable(caller, action, recognised, request, completion);
                  } else if (Failures.unwrap(e) instanceof TokenException cause) {
                    completion.failed(cause);
                  } else {
                    completion.reply.fail(Failures.ofRegistry(e));
                  }
                });
  }

  /// Checks authorization and key state again after a wait, in which both may have changed.
  private void computeIfStillUsable(
      Caller caller,
      Action action,
      KeyEntry recognised,
      MacRequest request,
      MacCompletion completion) {
    if (completion.isAbandoned()) {
      return;
    }
    try {
      // By key id: an alias may have moved to another key in the meantime.
      StateTable.require(action, keys.require(caller.principal(), action, recognised.id().value()));
    } catch (Refusal e) {
      completion.reply.fail(e.failure());
      return;
    }
    compute(caller, recognised, request, completion);
  }

  private void compute(Caller caller, KeyEntry key, MacRequest request, MacCompletion completion) {
    tokens.sign(
        key.tokenSerials(),
        new SignRequest(
            key.object(),
            key.check(),
            request.algorithm(),
            request.message(),
            caller.deadlineNanos()),
        completion);
  }

  private KeyEntry usable(Caller caller, Action action, MacRequest request) {
    KeyEntry key = keys.require(caller.principal(), action, request.keyId());
    StateTable.require(action, key);
    if (key.spec().algorithm() != request.algorithm()) {
      throw new Refusal(new Failure.AlgorithmMismatch(key.spec(), request.algorithm()));
    }
    return key;
  }

  private abstract class MacCompletion implements Completion<byte[]> {
    private final Caller caller;
    private final KeyEntry key;
    private final Reply<MacAnswer> reply;

    MacCompletion(Caller caller, KeyEntry key, Reply<MacAnswer> reply) {
      this.caller = caller;
      this.key = key;
      this.reply = reply;
    }

    abstract void computed(byte[] mac);

    @Override
    public final void done(byte[] mac) {
      availability.seen(key.id());
      computed(mac);
    }

    void end(MacRequest request, byte[] mac) {
      if (request.isDryRun()) {
        reply.fail(new Failure.DryRun());
      } else {
        reply.succeed(
            new MacAnswer(scope.keyArn(key.id()), key.version(), request.algorithm(), mac));
      }
    }

    @Override
    public void failed(TokenException cause) {
      Failure failure = Failures.of(cause, key);
      if (failure instanceof Failure.KeyUnavailable) {
        availability.missed(key.id());
      }
      reply.fail(failure);
    }

    @Override
    public boolean isAbandoned() {
      return reply.isAbandoned();
    }

    @Override
    public Object owner() {
      return caller.principal();
    }
  }
}

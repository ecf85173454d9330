package dev.hmacd.mac;

import com.google.errorprone.annotations.ThreadSafe;
import dev.hmacd.access.Access;
import dev.hmacd.access.Action;
import dev.hmacd.key.KeyEntry;
import dev.hmacd.key.KeyRegistry;
import dev.hmacd.token.Completion;
import dev.hmacd.token.TokenException;
import dev.hmacd.token.Tokens;
import java.security.MessageDigest;

/// Computes and verifies MACs: finds the key, decides, and has a lane ask the token.
///
/// Never blocks: a call returns as soon as its message is with a lane, and the reply is given
/// there. Checks come in the order of AWS KMS: look-up, authorization, state, algorithm, then the
/// token, the comparison, and the dry run last.
@ThreadSafe
@SuppressWarnings("ThreadSafe") // KeyRegistry and Tokens are thread-safe, Access is annotated.
public final class MacService {
  private final Keys keys;
  private final KeyRegistry registry;
  private final Tokens tokens;
  private final Availability availability;

  public MacService(KeyRegistry registry, Access access, Tokens tokens, Availability availability) {
    this.keys = new Keys(registry, access);
    this.registry = registry;
    this.tokens = tokens;
    this.availability = availability;
  }

  /// Computes a MAC.
  ///
  /// @throws Refusal when it ends before the token is asked
  public void generateMac(Caller caller, MacRequest request, Reply<MacAnswer> reply) {
    KeyEntry key = usable(caller, Action.GENERATE_MAC, request);
    tokens.sign(
        key.object(),
        key.tokenSerials(),
        request.algorithm(),
        request.message(),
        caller.deadlineNanos(),
        new MacCompletion(key, reply) {
          @Override
          void computed(byte[] mac) {
            end(request, mac);
          }
        });
  }

  /// Computes the MAC again and compares it with the given one, in constant time and full length.
  ///
  /// @param mac not copied: the caller gives it away
  /// @throws Refusal when it ends before the token is asked
  public void verifyMac(Caller caller, MacRequest request, byte[] mac, Reply<MacAnswer> reply) {
    Shape.bytes("mac", mac.length, MacRequest.MAX_MAC_BYTES);
    KeyEntry key = usable(caller, Action.VERIFY_MAC, request);
    tokens.sign(
        key.object(),
        key.tokenSerials(),
        request.algorithm(),
        request.message(),
        caller.deadlineNanos(),
        new MacCompletion(key, reply) {
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

  private KeyEntry usable(Caller caller, Action action, MacRequest request) {
    KeyEntry key = keys.require(caller.principal(), action, request.keyId());
    StateTable.require(action, key);
    if (key.spec().algorithm() != request.algorithm()) {
      throw new Refusal(new Failure.AlgorithmMismatch(key.spec(), request.algorithm()));
    }
    return key;
  }

  private abstract class MacCompletion implements Completion<byte[]> {
    private final KeyEntry key;
    private final Reply<MacAnswer> reply;

    MacCompletion(KeyEntry key, Reply<MacAnswer> reply) {
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
            new MacAnswer(
                registry.scope().keyArn(key.id()), key.version(), request.algorithm(), mac));
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
  }
}

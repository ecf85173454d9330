package dev.hmacd.usecase;

import com.google.errorprone.annotations.ThreadSafe;
import dev.hmacd.access.Action;
import dev.hmacd.token.TokenRouter;

/// Use case that returns random bytes from the HSM. No method blocks: results come from a lane.
@ThreadSafe
@SuppressWarnings("ThreadSafe") // All fields are thread-safe.
public final class RandomService {
  /// Maximum number of random bytes in one call, as in AWS KMS.
  static final int MAX_BYTES = 1024;

  private final KeyAuthorizer authorizer;
  private final TokenRouter tokens;

  public RandomService(KeyAuthorizer authorizer, TokenRouter tokens) {
    this.authorizer = authorizer;
    this.tokens = tokens;
  }

  /// Returns random bytes from the token's random number generator.
  ///
  /// @param count number of bytes, 1 to [#MAX_BYTES]
  public void generateRandom(Call call, int count, Reply<byte[]> reply) {
    FieldValidation.range("number_of_bytes", count, 1, MAX_BYTES);
    Reauthorization check = authorizer.requireOnAllKeys(call, Action.GENERATE_RANDOM);
    ReplyCompleter.complete(
        call,
        tokens.submitAny(call.owner(), session -> session.random(count), call.deadlineNanos()),
        reply,
        FailureMapper::ofToken,
        check);
  }
}

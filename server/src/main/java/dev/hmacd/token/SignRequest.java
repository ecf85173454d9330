package dev.hmacd.token;

import dev.hmacd.key.KeyCheckValue;
import dev.hmacd.key.KeyObject;
import dev.hmacd.key.MacAlgorithm;
import org.jspecify.annotations.Nullable;

/// A request for one MAC of the algorithm's full length. All attempts on all tokens share one
/// request object.
///
/// @param check the check value, by which each lane recognises the key before it computes the MAC;
///   null if the lane must not compare a check value
/// @param message the message of the MAC; not copied, so the caller must not change it afterwards
/// @param deadlineNanos a value of [System#nanoTime]; after this time, the request never reaches
///   the token
public record SignRequest(
    KeyObject key,
    @Nullable KeyCheckValue check,
    MacAlgorithm algorithm,
    @SuppressWarnings("ArrayRecordComponent") byte[] message,
    long deadlineNanos) {
  /// Length of a piece of a message, in bytes.
  public static final int PIECE_BYTES = 4096;

  /// Number of pieces of a message, 1 or more. The unit of the memory and of the token's time that
  /// a message needs.
  ///
  /// @param messageBytes length of the message
  public static int pieces(int messageBytes) {
    return Math.max(1, (messageBytes + PIECE_BYTES - 1) / PIECE_BYTES);
  }

  /// As [#pieces(int)], of this message.
  int pieces() {
    return pieces(message.length);
  }
}

package dev.hmacd.rpc;

import dev.hmacd.mac.Failure;
import io.netty.buffer.ByteBuf;

/// What has come of one call's request. Used by the event loop of the call's connection alone, but
/// for what [Arrivals] asks of its answer.
final class Arrival {
  /// What a piece costs beside its bytes: the objects that hold it until the rest is there.
  private static final int PIECE_BYTES = 512;

  /// A flag, and the message's length.
  private static final int PREFIX_BYTES = 5;

  private final Answer<?> answer;
  private final Arrivals arrivals;
  private boolean begun;
  private boolean whole;
  private long held;

  Arrival(Answer<?> answer, Arrivals arrivals) {
    this.answer = answer;
    this.arrivals = arrivals;
  }

  Answer<?> answer() {
    return answer;
  }

  /// Looks at bytes of the request before gRPC gets them.
  ///
  /// @param last whether nothing comes after them
  /// @return whether gRPC needs them; else the call has its answer
  boolean takes(ByteBuf piece, boolean last) {
    whole = last;
    int bytes = piece.readableBytes();
    if (!begun && bytes > 0 && !answer.isEnded()) {
      begun = true;
      refuseIfTooLong(piece);
    }
    if (!last && bytes > 0 && !answer.isEnded()) {
      hold(bytes + PIECE_BYTES);
    }
    return !answer.isEnded();
  }

  /// gRPC would refuse it too, but without a reason of the contract. It is left to it when the
  /// prefix comes in pieces.
  private void refuseIfTooLong(ByteBuf piece) {
    if (piece.readableBytes() >= PREFIX_BYTES
        && piece.getUnsignedInt(piece.readerIndex() + 1) > arrivals.maxRequestBytes()) {
      answer.fail(new Failure.RequestTooLong(arrivals.maxRequestBytes()));
    }
  }

  /// A message has been read, and is kept until it is known that there is no second one.
  ///
  /// @param bytes its length, decompressed
  void read(int bytes) {
    if (!whole) {
      hold(bytes);
    }
  }

  private void hold(int bytes) {
    held += bytes;
    arrivals.hold(bytes, held, answer);
  }

  /// The request is whole, or will never be: nothing is kept of it here.
  void ended() {
    arrivals.ended(this, held);
    held = 0;
  }
}

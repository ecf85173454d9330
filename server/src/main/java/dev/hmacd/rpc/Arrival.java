package dev.hmacd.rpc;

import dev.hmacd.access.Principal;
import dev.hmacd.usecase.Failure;
import io.netty.buffer.ByteBuf;
import org.jspecify.annotations.Nullable;

/// The partially received request of one call. Only the event loop of the connection uses it,
/// except for the answer and the owner, which [Arrivals] reads on other threads.
final class Arrival {
  /// Overhead of a buffered piece, in addition to its bytes: the objects that hold it until the
  /// request is complete.
  private static final int PIECE_BYTES = 512;

  /// Bytes of gRPC's message prefix: a flag, and the length of the message.
  private static final int PREFIX_BYTES = 5;

  private final Answer<?> answer;
  private final Principal owner;
  private final Arrivals arrivals;
  private boolean begun;
  private boolean whole;
  private long held;

  /// The connection's memory; null until the connection is known.
  private @Nullable Inflow connection;

  Arrival(Answer<?> answer, Principal owner, Arrivals arrivals) {
    this.answer = answer;
    this.owner = owner;
    this.arrivals = arrivals;
  }

  /// Counts the held bytes for the connection, too.
  void on(Inflow inflow) {
    connection = inflow;
    inflow.hold(held);
    answer.measurement(inflow.measurement());
  }

  Answer<?> answer() {
    return answer;
  }

  Principal owner() {
    return owner;
  }

  /// Checks bytes of the request before gRPC gets them.
  ///
  /// @param last whether these bytes are the last of the request
  /// @return whether gRPC needs the bytes; false if the call has its answer
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

  /// Refuses a message that is too long with a reason of the contract, which gRPC's own refusal
  /// lacks. If the prefix arrives in several pieces, gRPC refuses the message.
  private void refuseIfTooLong(ByteBuf piece) {
    if (piece.readableBytes() >= PREFIX_BYTES
        && piece.getUnsignedInt(piece.readerIndex() + 1) > arrivals.maxRequestBytes()) {
      answer.fail(new Failure.RequestTooLong(arrivals.maxRequestBytes()));
    }
  }

  /// Counts a message that gRPC has read. It is kept until the request is known to have no second
  /// message.
  ///
  /// @param bytes length of the decompressed message
  void read(int bytes) {
    if (!whole) {
      hold(bytes);
    }
  }

  private void hold(int bytes) {
    held += bytes;
    if (connection != null) {
      connection.hold(bytes);
    }
    arrivals.hold(bytes, held, this);
  }

  /// Releases the held bytes: the request is complete, or the call was cancelled.
  void ended() {
    arrivals.ended(this, held);
    if (connection != null) {
      connection.hold(-held);
    }
    held = 0;
  }
}

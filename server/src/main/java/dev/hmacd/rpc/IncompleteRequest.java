package dev.hmacd.rpc;

import dev.hmacd.access.Principal;
import dev.hmacd.usecase.Failure;
import io.netty.buffer.ByteBuf;
import org.jspecify.annotations.Nullable;

/// The partially received request of one call. Only the event loop of the connection uses it,
/// except for the answer and the owner, which [IncompleteRequests] reads on other threads.
final class IncompleteRequest {
  /// Overhead of a buffered piece, in addition to its bytes: the objects that hold it until the
  /// request is complete.
  private static final int PIECE_BYTES = 512;

  /// Bytes of gRPC's message prefix: a flag, and the length of the message.
  private static final int PREFIX_BYTES = 5;

  private final GrpcReply<?> reply;
  private final Principal owner;
  private final IncompleteRequests requests;
  private boolean started;
  private boolean complete;
  private long heldBytes;

  /// The connection's memory; null until the connection is known.
  private @Nullable InboundFrameFilter connection;

  IncompleteRequest(GrpcReply<?> reply, Principal owner, IncompleteRequests requests) {
    this.reply = reply;
    this.owner = owner;
    this.requests = requests;
  }

  /// Counts the held bytes for the connection, too.
  void attach(InboundFrameFilter filter) {
    connection = filter;
    filter.hold(heldBytes);
    reply.measurement(filter.measurement());
  }

  GrpcReply<?> reply() {
    return reply;
  }

  Principal owner() {
    return owner;
  }

  /// Checks bytes of the request before gRPC gets them.
  ///
  /// @param last whether these bytes are the last of the request
  /// @return whether gRPC needs the bytes; false if the call has its answer
  boolean accepts(ByteBuf piece, boolean last) {
    complete = last;
    int bytes = piece.readableBytes();
    if (!started && bytes > 0 && !reply.isEnded()) {
      started = true;
      refuseIfTooLong(piece);
    }
    if (!last && bytes > 0 && !reply.isEnded()) {
      hold(bytes + PIECE_BYTES);
    }
    return !reply.isEnded();
  }

  /// Refuses a message that is too long with a reason of the contract, which gRPC's own refusal
  /// lacks. If the prefix arrives in several pieces, gRPC refuses the message.
  private void refuseIfTooLong(ByteBuf piece) {
    if (piece.readableBytes() >= PREFIX_BYTES
        && piece.getUnsignedInt(piece.readerIndex() + 1) > requests.maxRequestBytes()) {
      reply.fail(new Failure.RequestTooLong(requests.maxRequestBytes()));
    }
  }

  /// Counts a message that gRPC has read. It is kept until the request is known to have no second
  /// message.
  ///
  /// @param bytes length of the decompressed message
  void messageRead(int bytes) {
    if (!complete) {
      hold(bytes);
    }
  }

  private void hold(int bytes) {
    heldBytes += bytes;
    if (connection != null) {
      connection.hold(bytes);
    }
    requests.hold(bytes, heldBytes, this);
  }

  /// Releases the held bytes: the request is complete, or the call was cancelled.
  void release() {
    requests.remove(this, heldBytes);
    if (connection != null) {
      connection.hold(-heldBytes);
    }
    heldBytes = 0;
  }
}

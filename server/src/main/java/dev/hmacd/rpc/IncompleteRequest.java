package dev.hmacd.rpc;

import dev.hmacd.access.Principal;
import dev.hmacd.usecase.Failure;
import io.netty.buffer.ByteBuf;
import org.jspecify.annotations.Nullable;

/// The partially received request of one call. Only the event loop of the connection uses the
/// fields, except for the reply and the owner, which [IncompleteRequests] reads on other threads.
final class IncompleteRequest {
  /// Heap of the objects that buffer one DATA frame, in addition to the bytes of the frame.
  private static final int FRAME_BYTES = 512;

  private final GrpcReply<?> reply;
  private final Principal owner;
  private final IncompleteRequests requests;
  private final MessagePrefixes prefixes = new MessagePrefixes();
  private boolean complete;
  private long heldBytes;

  /// The memory of the connection's streams; null until [#attach].
  private @Nullable StreamMemory streams;

  IncompleteRequest(GrpcReply<?> reply, Principal owner, IncompleteRequests requests) {
    this.reply = reply;
    this.owner = owner;
    this.requests = requests;
  }

  /// Sets the [StreamMemory] of the connection, which also counts the held bytes.
  void attach(StreamMemory memory) {
    streams = memory;
    memory.hold(heldBytes);
    reply.connected(memory.measurement(), memory.responses());
  }

  GrpcReply<?> reply() {
    return reply;
  }

  Principal owner() {
    return owner;
  }

  /// Checks a DATA frame of the request before gRPC gets the frame.
  ///
  /// @param last whether the frame ends the request
  /// @return whether gRPC needs the frame; false if the call has ended
  boolean accepts(ByteBuf data, boolean last) {
    complete = last;
    int bytes = data.readableBytes();
    if (bytes > 0 && !reply.isEnded()) {
      refuseIfTooLong(data);
    }
    if (!last && bytes > 0 && !reply.isEnded()) {
      hold(bytes + FRAME_BYTES);
    }
    return !reply.isEnded();
  }

  /// Refuses a message that is too long, before gRPC does: gRPC's own refusal has no error reason,
  /// and does not forbid a retry.
  private void refuseIfTooLong(ByteBuf data) {
    long length = prefixes.longest(data);
    if (length > requests.maxRequestBytes()) {
      reply.fail(new Failure.RequestTooLong(length, requests.maxRequestBytes()));
    }
  }

  /// Adds the length of a message that gRPC has read to the held bytes. The daemon keeps the
  /// message in memory until the request ends. Until then, a second message can make the request
  /// invalid.
  ///
  /// @param bytes length of the decompressed message
  void messageRead(int bytes) {
    if (!complete) {
      hold(bytes);
    }
  }

  private void hold(int bytes) {
    heldBytes += bytes;
    if (streams != null) {
      streams.hold(bytes);
    }
    requests.hold(bytes, heldBytes, this);
  }

  /// Subtracts the held bytes from the memory bounds, after the request is complete or the call is
  /// cancelled.
  void release() {
    requests.remove(this, heldBytes);
    if (streams != null) {
      streams.hold(-heldBytes);
    }
    heldBytes = 0;
  }
}

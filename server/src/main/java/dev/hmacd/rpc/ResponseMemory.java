package dev.hmacd.rpc;

import io.netty.buffer.ByteBufAllocator;
import io.netty.util.internal.OutOfDirectMemoryError;
import io.netty.util.internal.PlatformDependent;

/// Checks that direct memory is left for a response, before gRPC gets the response. If gRPC itself
/// finds no memory, it closes the call with CANCELLED, and the caller does not get the reason.
///
/// Netty takes direct memory in chunks. While two chunks are left, the check only reads a counter.
/// Otherwise the check allocates a buffer of the response's size, and releases the buffer at once.
/// Netty keeps this memory, and gRPC allocates next on the same thread. Another thread that shares
/// the chunk can still take the memory first.
final class ResponseMemory {
  /// Size of two chunks of gRPC's allocator, in bytes.
  private static final long MARGIN_BYTES = 4 << 20;

  /// Maximum size of a buffer into which gRPC encodes a response, in bytes. A longer response has
  /// several buffers.
  private static final int MAX_BUFFER_BYTES = 1 << 20;

  /// Size of gRPC's message prefix (compression flag and message length), in bytes.
  private static final int PREFIX_BYTES = 5;

  private final ByteBufAllocator allocator;
  private final long safeBytes;

  /// @param allocator the allocator of the connection, which gRPC uses, too
  ResponseMemory(ByteBufAllocator allocator) {
    this(allocator, PlatformDependent.maxDirectMemory() - MARGIN_BYTES);
  }

  /// @param safeBytes used direct memory of Netty, in bytes, up to which the check allocates
  ///   nothing
  ResponseMemory(ByteBufAllocator allocator, long safeBytes) {
    this.allocator = allocator;
    this.safeBytes = safeBytes;
  }

  /// Checks that memory is left for a response. The calling thread must be the thread that sends
  /// the response.
  ///
  /// @param messageBytes size of the response message
  /// @throws OutOfDirectMemoryError if no memory is left
  void require(int messageBytes) {
    if (PlatformDependent.usedDirectMemory() <= safeBytes) {
      return;
    }
    int bytes = Math.min(MAX_BUFFER_BYTES, messageBytes + PREFIX_BYTES);
    allocator.buffer(bytes, bytes).release();
  }
}

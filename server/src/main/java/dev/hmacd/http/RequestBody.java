package dev.hmacd.http;

import io.netty.buffer.ByteBuf;
import java.util.Arrays;

/// The body of a partially received request. Used on one event loop.
final class RequestBody {
  private static final byte[] EMPTY = {};

  private byte[] bytes = EMPTY;
  private int length;

  int length() {
    return length;
  }

  /// Heap of the body, in bytes: may exceed the length of a body that is still growing.
  int heapBytes() {
    return bytes.length;
  }

  void append(ByteBuf more) {
    int count = more.readableBytes();
    if (count > bytes.length - length) {
      // The first part is usually the complete body, so the array has its exact length.
      bytes = Arrays.copyOf(bytes, length == 0 ? count : Math.max(2 * length, length + count));
    }
    more.readBytes(bytes, length, count);
    length += count;
  }

  /// Releases the received bytes.
  void clear() {
    bytes = EMPTY;
    length = 0;
  }

  /// Returns the received bytes, and keeps only their length.
  byte[] take() {
    byte[] taken = length == bytes.length ? bytes : Arrays.copyOf(bytes, length);
    bytes = EMPTY;
    return taken;
  }
}

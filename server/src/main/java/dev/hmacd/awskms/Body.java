package dev.hmacd.awskms;

import io.netty.buffer.ByteBuf;
import java.util.Arrays;

/// The body of a request that is coming in. On one event loop.
final class Body {
  private static final byte[] EMPTY = {};

  private byte[] bytes = EMPTY;
  private int length;

  int length() {
    return length;
  }

  void append(ByteBuf more) {
    int count = more.readableBytes();
    if (count > bytes.length - length) {
      // The first piece is all of it, as a rule: no byte more than needed.
      bytes = Arrays.copyOf(bytes, length == 0 ? count : Math.max(2 * length, length + count));
    }
    more.readBytes(bytes, length, count);
    length += count;
  }

  /// Lets go of what came.
  void clear() {
    bytes = EMPTY;
    length = 0;
  }

  /// What came.
  byte[] toByteArray() {
    return length == bytes.length ? bytes : Arrays.copyOf(bytes, length);
  }
}
